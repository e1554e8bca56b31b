"""A server that asks for a key, and has room for one live viewer, in the page."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.serve.conftest import ServerProcess
from tests.serve.page.browser import Look

KEY = "a-key-of-the-robots"


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, bundle: Path, server_process: type[ServerProcess]
) -> Iterator[ServerProcess]:
    keys = tmp_path_factory.mktemp("keys") / "keys"
    keys.write_text(KEY, encoding="utf-8")
    running = server_process(bundle, f"second={bundle}", "--api-key-file", str(keys), "--max-live", "1")
    yield running
    assert running.stop()[0] == 0


@pytest.fixture
def look(open_page: Callable[..., Look], guarded: ServerProcess) -> Look:
    """The page of `guarded`, which asks for the key."""
    look = open_page(guarded.url)
    look.refused = True
    return look


def give(look: Look, key: str) -> None:
    look.find("#key-dialog[open]").wait_for()
    look.find("#key").fill(key)
    look.page.keyboard.press("Enter")


def test_the_page_asks_until_the_key_is_right_and_then_uses_it_everywhere(
    look: Look, guarded: ServerProcess, picture: Path, image: np.ndarray
) -> None:
    look.find("#key-dialog[open]").wait_for()
    assert look.find("#key-detail").text_content() == guarded.client.get("/models").json()["detail"]
    give(look, "a-wrong-key-of-somebody")
    give(look, KEY)
    look.take(picture)
    assert look.mask().shape[:2] == image.shape[:2]
    look.page.reload()
    look.ready()
    assert look.find("#key-dialog[open]").count() == 0
    assert not any(KEY in url for url in look.requests)


def test_who_has_no_key_is_told_and_may_try_again(look: Look) -> None:
    look.find("#key-cancel").click()
    assert "no API key" in look.message()
    look.find("#again").click()
    look.find("#key-dialog[open]").wait_for()


def test_a_live_viewer_too_many_hears_why_and_the_other_goes_on(look: Look) -> None:
    give(look, KEY)
    look.ready().context.grant_permissions(["camera"])
    look.find(".chip").nth(1).click()
    look.find("#camera").click()
    look.find("#rate").filter(has_text="frames/s").wait_for()
    assert look.message() == "1 live viewers are connected, the limit: try again …"
