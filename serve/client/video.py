"""A video asked frame by frame: what goes over the wire, and what comes back."""

import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from serve.client.call import RAW, Call, Classes, Size
from serve.client.parts import Part, PartReader
from serve.client.problem import NoAnswer, ServerProblem
from serve.client.served_model import ServedModel
from serve.video.headers import FRAME_HEADER, TIME_HEADER
from train.errors import UserError

_PNG = "image/png"


@dataclass(frozen=True)
class VideoFrame:
    """A frame's class ids uint8 ``(H, W)``, or why it has none."""

    number: int
    """From 0; those that ``every`` passes over are counted."""
    time_s: float | None
    """From the beginning of the video, in seconds; None where a broken frame does not tell."""
    ids: NDArray[np.uint8] | None
    """None: the frame is broken."""
    problem: str | None
    """One line, of a broken frame."""
    model: ServedModel


def load_clip(clip: str | os.PathLike[str] | bytes) -> bytes:
    """Read a path; bytes as they are. `UserError` for a file that cannot be read."""
    if isinstance(clip, bytes):
        return clip
    try:
        return Path(clip).read_bytes()
    except OSError as error:
        raise UserError(f"{clip}: cannot be read: {error.strerror}") from None


def video_call(
    body: bytes, *, model: str | None, size: Size, classes: Classes | None, every: int, smoothing: float
) -> Call:
    """``POST /segment/video``."""
    params = {"size": size, "every": str(every), "smoothing": str(smoothing)}
    if model is not None:
        params["model"] = model
    if classes is not None:
        params["classes"] = ",".join(map(str, classes))
    return Call("POST", "/segment/video", params, {"Accept": "multipart/mixed", "Content-Type": RAW}, body)


class FrameReader:
    """The frames in an answer that is coming.

    Raises:
        ServerProblem: the server gave the video up, or this is no server of this project.
    """

    def __init__(self, response: httpx.Response, model: ServedModel) -> None:
        self._model = model
        self._request_id = response.headers.get("X-Request-ID")
        try:
            self._parts = PartReader(response.headers.get("Content-Type", ""))
        except ValueError:
            raise self._foreign() from None

    def feed(self, data: bytes) -> Iterator[VideoFrame]:
        """The frames that ``data`` completes."""
        try:
            for part in self._parts.feed(data):
                frame = self._frame(part)
                if frame is not None:
                    yield frame
        except (KeyError, ValueError, OSError):
            raise self._foreign() from None

    def check_end(self, url: httpx.URL) -> None:
        """`NoAnswer` if the answer broke off."""
        if not self._parts.complete:
            raise NoAnswer(f"{url}: the answer broke off: ask again", reached=True, begun=True)

    def _frame(self, part: Part) -> VideoFrame | None:
        """None: the summary at the end."""
        headers = part.headers
        is_mask = headers["content-type"] == _PNG
        if FRAME_HEADER.lower() not in headers:
            if headers["content-type"].startswith("application/problem"):
                raise self._problem(part)
            return None
        time_s = float(headers[TIME_HEADER.lower()]) if TIME_HEADER.lower() in headers else None
        ids = np.asarray(Image.open(io.BytesIO(part.body), formats=("PNG",)), np.uint8) if is_mask else None
        problem = None if is_mask else str(json.loads(part.body)["detail"])
        return VideoFrame(int(headers[FRAME_HEADER.lower()]), time_s, ids, problem, self._model)

    def _problem(self, part: Part) -> ServerProblem:
        problem = json.loads(part.body)
        return ServerProblem(int(problem["status"]), problem["type"], problem["detail"], self._request_id)

    def _foreign(self) -> ServerProblem:
        detail = "the answer is no video's: is this a server of segdistill?"
        return ServerProblem(200, "about:blank", detail, self._request_id)
