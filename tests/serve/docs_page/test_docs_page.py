"""The documentation in a real browser: what it says is what the server does."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from serve.docs_page import DOCS
from tests.serve.conftest import ServerProcess
from tests.serve.page.browser import DESKTOP, PHONE, Look
from tests.serve.page.test_accessibility import findings

SEGMENT = "#segment_segment_post"


@pytest.fixture
def docs(open_page: Callable[..., Look], server: ServerProcess) -> Look:
    return _opened(open_page, server)


def _opened(open_page: Callable[..., Look], server: ServerProcess, *size: Any, **options: Any) -> Look:
    look = open_page(server.url, *size, **options)
    look.page.goto(f"{server.url}/docs")
    look.find(".operation").first.wait_for()
    return look


def test_every_operation_of_the_description_is_there(docs: Look, server: ServerProcess) -> None:
    paths = server.client.get("/openapi.json").json()["paths"]
    described = sorted(f"{method.upper()} {path}" for path, methods in paths.items() for method in methods)
    shown = docs.find(".operation h2:has(.method)").evaluate_all(
        "(headings) => headings.map((heading) => [...heading.children].map((part) => part.textContent).join(' '))"
    )
    assert sorted(shown) == described
    links = docs.find("nav a").evaluate_all("(links) => links.map((link) => link.hash.slice(1))")
    assert all(docs.find(f"section[id='{link}']").count() == 1 for link in links)
    assert len(links) == len(described) + 1


def test_a_picture_is_tried_out_by_keyboard_alone(docs: Look, picture: Path) -> None:
    form = docs.find(f"{SEGMENT} form")
    form.locator("input[type=file]").set_input_files(picture)
    form.get_by_label("overlay").focus()
    docs.page.keyboard.press("Space")
    docs.page.keyboard.press("Enter")
    docs.find(f"{SEGMENT} .reply img").wait_for()
    said = str(docs.find(f"{SEGMENT} .reply p").first.text_content())
    assert said.startswith("200, image/png")
    assert docs.requests[-2].endswith("/segment?overlay=true")
    form.get_by_label("Accept").select_option("application/json")
    form.get_by_label("overlay").uncheck()
    form.get_by_role("button", name="Send").click()
    docs.page.locator(f"{SEGMENT} .reply pre", has_text='"classes"').wait_for()


def test_a_problem_is_shown_in_the_servers_words(docs: Look, picture: Path) -> None:
    docs.refused = True
    form = docs.find(f"{SEGMENT} form")
    form.locator("input[type=file]").set_input_files(picture)
    form.get_by_label("model").fill("nobody")
    form.get_by_role("button", name="Send").click()
    docs.page.locator(f"{SEGMENT} .failure", has_text="404: ").wait_for()


@pytest.mark.parametrize("language", ["curl", "Python"])
def test_the_examples_run_as_they_are_shown(docs: Look, picture: Path, tmp_path: Path, language: str) -> None:
    (tmp_path / "street.jpg").write_bytes(picture.read_bytes())
    for section, output in ((SEGMENT, "answer.png"), ("#models_models_get", None)):
        docs.page.locator(f"{section} .tab", has_text=language).click()
        example = str(docs.find(f"{section} .example code").text_content())
        command = ["bash", "-c", example] if language == "curl" else [sys.executable, "-c", example]
        ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        if output:
            assert (tmp_path / output).read_bytes().startswith(b"\x89PNG")
        else:
            assert '"models"' in ran.stdout


@pytest.mark.parametrize(("size", "scheme"), [(PHONE, "dark"), pytest.param(DESKTOP, "light", marks=pytest.mark.slow)])
def test_nothing_serious_is_wrong_and_nothing_sticks_out(
    open_page: Callable[..., Look], server: ServerProcess, picture: Path, size: tuple[int, int], scheme: str
) -> None:
    # axe comes in as text, which the page's own policy rightly refuses
    look = _opened(open_page, server, size, color_scheme=scheme, bypass_csp=True)
    look.find(f"{SEGMENT} input[type=file]").set_input_files(picture)
    look.find(f"{SEGMENT} form .main").click()
    look.find(f"{SEGMENT} .reply img").wait_for()
    for summary in look.find(f"{SEGMENT} .shape > summary").all():
        summary.click()
    assert findings(look) == []
    assert look.page.evaluate("document.documentElement.scrollWidth") == size[0]


def test_its_files_are_small_and_may_load_from_their_own_server_only(server: ServerProcess) -> None:
    answers = [server.client.get(path) for path in DOCS.paths]
    assert sum(len(answer.content) for answer in answers) < 50_000
    for answer in answers:
        assert answer.status_code == 200
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
    assert "docs" in server.client.get("/").text


def test_a_server_with_a_key_asks_for_it_and_the_examples_name_it(
    open_page: Callable[..., Look], bundle: Path, tmp_path: Path
) -> None:
    key = "a-key-of-the-robots"
    (tmp_path / "keys").write_text(key, encoding="utf-8")
    guarded = ServerProcess(bundle, "--api-key-file", str(tmp_path / "keys"))
    try:
        look = open_page(guarded.url)
        look.refused = True
        look.page.goto(f"{guarded.url}/docs")
        look.find("#key").fill(key)
        look.page.keyboard.press("Enter")
        look.find("#models_models_get form .main").click()
        look.page.locator("#models_models_get .reply pre", has_text='"default"').wait_for()
        example = str(look.find("#models_models_get .example code").text_content())
        assert "Bearer $API_KEY" in example
        assert key not in example
    finally:
        guarded.stop()
