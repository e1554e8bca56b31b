"""``python -m tests.serve.page.screenshots BUNDLE NAME=BUNDLE``: the page's pictures for the documents.

The page of a real server in a real Chromium, on generated street pictures: nobody's rights are in them.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.serve.conftest import ServerProcess
from tests.serve.page.browser import ARGUMENTS, DESKTOP, PHONE, Look
from tests.serve.page.conftest import CHROMIUM
from train.command import command
from train.errors import UserError

_QUALITY = 85  # of WebP: 50 to 90 kB for a picture that is 1 MB as a PNG
_SIZE = ("320", "448")  # pixels, of the streets


def main() -> None:
    options = _parser().parse_args()
    if CHROMIUM is None:
        raise UserError("no Chromium here: apt-get install chromium")
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, _server(options.bundles) as url, sync_playwright() as playwright:
        streets = _streets(Path(folder), options.seed)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        _pointed(_open(browser, url, DESKTOP), streets, options.out / "page.webp")
        _compared(_open(browser, url, DESKTOP, color_scheme="dark"), streets, options.out / "page_models.webp")
        _pointed(_open(browser, url, PHONE, device_scale_factor=2), streets, options.out / "page_phone.webp")
        browser.close()


def _pointed(look: Look, picture: Path, out: Path) -> None:
    """The last model, and a class under the pointer."""
    chips = look.find(".chip")
    if chips.count() > 1:
        chips.last.click()
        chips.first.click()
    look.take(picture)
    look.point(0.8, 0.6)
    _save(look, out)


def _compared(look: Look, picture: Path, out: Path) -> None:
    """All models side by side, the picture on the left of the wipe."""
    for chip in look.find(".chip").all()[1:]:
        chip.click()
    look.take(picture).find("#compare").click()
    look.find(".wipe").first.fill("40")
    _save(look, out)


def _save(look: Look, out: Path) -> None:
    look.page.wait_for_timeout(500)
    with Image.open(io.BytesIO(look.page.screenshot())) as shot:
        shot.convert("RGB").save(out, quality=_QUALITY, method=6)
    print(f"{out}  {out.stat().st_size / 1000:.0f} kB")


def _open(browser: Any, url: str, size: tuple[int, int], **options: Any) -> Look:
    return Look(browser.new_context(reduced_motion="reduce", **options), url, size).ready()


def _streets(folder: Path, seed: int) -> Path:
    """A generated picture."""
    line = ["-m", "train.data.streets", "--out", str(folder), "--clips", "1", "--frames", "1", "--seed", str(seed)]
    subprocess.run([sys.executable, *line, "--size", *_SIZE], check=True)
    return sorted((folder / "images").iterdir())[0]


@contextmanager
def _server(bundles: list[str]) -> Iterator[str]:
    running = ServerProcess(Path(bundles[0]), *bundles[1:])
    try:
        yield running.url
    finally:
        running.stop()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.serve.page.screenshots", description=__doc__)
    parser.add_argument("bundles", nargs="+", metavar="BUNDLE", help="folders, or NAME=FOLDER; the last is shown alone")
    parser.add_argument("--out", type=Path, default=Path("serve/pictures"), help="folder (default: serve/pictures)")
    parser.add_argument("--seed", type=int, default=0, help="of the street (default: 0)")
    return parser


if __name__ == "__main__":
    command(main)
