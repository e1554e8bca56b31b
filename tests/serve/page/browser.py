"""The page in a browser, and what is read out of it."""

import base64
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np

DESKTOP, SMALL, PHONE = (1440, 900), (1000, 640), (390, 844)

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--force-color-profile=srgb"]

_PNG = "(canvas) => canvas.toDataURL()"

_OF_THE_NETWORK = ("Failed to load resource", "WebSocket connection to")


class Look:
    """A page that is open, and what it has asked for and complained of."""

    def __init__(self, context: Any, url: str, size: tuple[int, int]) -> None:
        self.context = context
        self.url = url
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.refused = False
        """Whether problems and lost connections are part of the test: Chromium reports each of them as an error."""
        self.page = context.new_page()
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.set_default_timeout(15_000)
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url.replace("ws://", "http://")))
        self.page.on("console", self._told)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(url)

    def _told(self, message: Any) -> None:
        if message.type in ("error", "warning") and not (self.refused and message.text.startswith(_OF_THE_NETWORK)):
            self.errors.append(message.text)

    def check(self) -> None:
        """No broken policy, no error, no other host."""
        assert self.errors == [], self.errors
        assert {url for url in self.requests if not url.startswith((self.url, "blob:"))} == set()

    def find(self, selector: str) -> Any:
        """What waits until it is there."""
        return self.page.locator(selector)

    def ready(self) -> "Look":
        """Wait until the models are known."""
        self.find("#legend li").first.wait_for()
        return self

    def take(self, *files: Path) -> "Look":
        """Choose a file, and wait for its classes."""
        self.ready().page.set_input_files("#file", files)
        return self.segmented()

    def segmented(self) -> "Look":
        """Wait for class shares."""
        self.find("#latency-section").wait_for()
        return self

    def mask(self, pane: int = 0) -> np.ndarray:
        """RGBA ``(H, W, 4)`` of the class map, as it is painted."""
        png = self.find(".mask").nth(pane).evaluate(_PNG)
        data = np.frombuffer(base64.b64decode(png.partition(",")[2]), np.uint8)
        return np.asarray(cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGRA2RGBA))

    def screen(self, height: int, width: int) -> np.ndarray:
        """RGB ``(height, width, 3)`` of what a person sees of the picture, the middle of each of so many fields."""
        shot = cv2.imdecode(np.frombuffer(self.find(".view").first.screenshot(), np.uint8), cv2.IMREAD_COLOR_RGB)
        rows, columns = ((np.arange(n) + 0.5) * side / n for n, side in zip((height, width), shot.shape, strict=False))
        return np.asarray(shot)[rows.astype(int)[:, None], columns.astype(int)]

    def shares(self, model: int = 0) -> dict[str, float]:
        """By name, 0 to 1, of the legend."""
        rows = self.find("#legend label").evaluate_all(
            "(labels) => labels.map((label) => [...label.querySelectorAll('.name, .share')].map((e) => e.textContent))"
        )
        return {row[0]: float(row[1 + model].removesuffix(" %")) / 100 for row in rows if row[1 + model] != "–"}

    def point(self, x: float, y: float) -> str:
        """Move the mouse to a point of the picture, 0 to 1: the class that is named there."""
        box = self.find(".view").first.bounding_box()
        self.page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        return str(self.find(".probe").first.text_content())

    def message(self) -> str:
        """Wait for the line that says what is wrong."""
        self.find("#message").wait_for()
        return str(self.find("#message-text").text_content())

    def frame_rate(self) -> float:
        """As the page shows it, in frames a second."""
        found = re.match(r"(\d+) frames/s", str(self.find("#rate").text_content()))
        return float(found[1]) if found else 0.0


def y4m(pixels: np.ndarray, frames: int = 2) -> bytes:
    """A raw film of one RGB picture ``(H, W, 3)``, as Chromium's fake camera takes it."""
    height, width = pixels.shape[:2]
    planes = cv2.cvtColor(pixels, cv2.COLOR_RGB2YUV_I420).tobytes()
    head = f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode()
    return head + frames * (b"FRAME\n" + planes)
