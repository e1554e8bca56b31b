"""A server that asks for a key, in the page."""

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
    running = server_process(bundle, "--api-key-file", str(keys))
    yield running
    assert running.stop()[0] == 0


def test_the_page_asks_until_the_key_is_right_and_then_uses_it_everywhere(
    open_page: Callable[..., Look], guarded: ServerProcess, picture: Path, image: np.ndarray
) -> None:
    look = open_page(guarded.url)
    look.refused = True
    look.find("#key-dialog[open]").wait_for()
    said = guarded.client.get("/models").json()["detail"]
    assert look.find("#key-detail").text_content() == said
    for key in ("a-wrong-key-of-somebody", KEY):
        look.find("#key-dialog[open]").wait_for()
        look.find("#key").fill(key)
        look.page.keyboard.press("Enter")
    look.take(picture)
    assert look.mask().shape[:2] == image.shape[:2]
    look.context.grant_permissions(["camera"])
    look.find("#camera").click()
    look.find("#rate").filter(has_text="frames/s").wait_for()
    look.page.reload()
    look.ready()
    assert look.find("#key-dialog[open]").count() == 0
    assert not any(KEY in url for url in look.requests)


def test_who_has_no_key_is_told_and_may_try_again(open_page: Callable[..., Look], guarded: ServerProcess) -> None:
    look = open_page(guarded.url)
    look.refused = True
    look.find("#key-cancel").click()
    assert "no API key" in look.message()
    look.find("#again").click()
    look.find("#key-dialog[open]").wait_for()
