"""A real Chromium on the page of a real server, with a camera whose picture is known."""

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serve.conftest import ServerProcess
from tests.serve.page.browser import ARGUMENTS, DESKTOP, SMALL, Look, y4m

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One for a file: Playwright's event loop runs for as long, and no test beside it could have one of its own."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    camera = tmp_path_factory.mktemp("camera") / "stripes.y4m"
    camera.write_bytes(y4m(stripes()))
    fake = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as playwright, warnings.catch_warnings():
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *fake])
        yield running
        running.close()


def stripes(height: int = 96, width: int = 128) -> np.ndarray:
    """RGB: red, green and blue beside each other."""
    pixels = np.full((height, width, 3), 40, np.uint8)
    for channel, columns in enumerate(np.array_split(np.arange(width), 3)):
        pixels[:, columns, channel] = 210
    return pixels


@pytest.fixture(scope="session")
def two_models(bundle: Path) -> Iterator[ServerProcess]:
    """A server with the known bundle under two names."""
    running = ServerProcess(bundle, f"second={bundle}")
    yield running
    code, errors = running.stop()
    assert code == 0
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def context(browser: Any) -> Any:
    """A browser's profile, in which nothing is moved for show; with its own process, so a new one takes time."""
    return browser.new_context(reduced_motion="reduce")


@pytest.fixture
def open_page(browser: Any, context: Any) -> Iterator[Callable[..., Look]]:
    """Open a page, with options in a profile of its own.

    At the end none has broken its policy, reported an error, or asked another host.
    """
    looks: list[Look] = []

    def open_page(url: str, size: tuple[int, int] = DESKTOP, **options: Any) -> Look:
        profile = browser.new_context(reduced_motion="reduce", **options) if options else context
        looks.append(Look(profile, url, size))
        return looks[-1]

    yield open_page
    for look in looks:
        look.page.close()
        look.context.clear_permissions()
    for look in looks:
        look.check()


@pytest.fixture
def look(open_page: Callable[..., Look], two_models: ServerProcess) -> Look:
    """The page of `two_models`, open and ready."""
    return open_page(two_models.url, SMALL)


@pytest.fixture(scope="session")
def picture(tmp_path_factory: pytest.TempPathFactory, image: np.ndarray, encode: Callable[..., bytes]) -> Path:
    """`image` as a file."""
    path = tmp_path_factory.mktemp("picture") / "street.png"
    path.write_bytes(encode(image))
    return path
