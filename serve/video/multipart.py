"""A video's answer as multipart/mixed (RFC 2046, section 5.1): a part for each frame."""

import secrets
from dataclasses import dataclass, field

from export.manifest import Manifest
from serve.answers.media import Encoder
from serve.problem import MEDIA_TYPE, Problem
from serve.segmentation import AnswerOptions
from serve.video.conveyor import SegmentedFrame
from serve.video.form import VideoSummary
from serve.video.frames import BrokenFrame
from serve.video.headers import FRAME_HEADER, TIME_HEADER

MULTIPART = "multipart/mixed"


@dataclass
class Multipart:
    """Class maps as PNG, or overlays as JPEG; the last part is a `VideoSummary`, or the problem that ended it."""

    manifest: Manifest
    options: AnswerOptions
    part_type: str
    encode: Encoder
    boundary: str = field(default_factory=lambda: f"segdistill-{secrets.token_hex(16)}")

    @property
    def media_type(self) -> str:
        """With the boundary."""
        return f"{MULTIPART}; boundary={self.boundary}"

    def segmented(self, result: SegmentedFrame) -> bytes:
        """The class map or overlay."""
        body, _ = self.encode(result.segmentation, self.manifest, self.options)
        return self._part(self.part_type, body, result.frame.number, result.frame.time_s)

    def broken(self, frame: BrokenFrame, problem: Problem) -> bytes:
        """The problem of a frame."""
        return self._part(MEDIA_TYPE, _json(problem), frame.number, frame.time_s)

    def end(self, summary: VideoSummary) -> bytes:
        """The summary."""
        return self._part("application/json", _json(summary)) + self._close

    def failed(self, problem: Problem) -> bytes:
        """The problem, in a part that has no number of a frame."""
        return self._part(MEDIA_TYPE, _json(problem)) + self._close

    def close(self) -> None:
        """Nothing is held."""

    @property
    def _close(self) -> bytes:
        return f"--{self.boundary}--\r\n".encode()

    def _part(self, media_type: str, body: bytes, number: int | None = None, time_s: float | None = None) -> bytes:
        head = [f"--{self.boundary}", f"Content-Type: {media_type}", f"Content-Length: {len(body)}"]
        if number is not None:
            head.append(f"{FRAME_HEADER}: {number}")
        if time_s is not None:
            head.append(f"{TIME_HEADER}: {time_s:.6f}")
        return "\r\n".join([*head, "", ""]).encode() + body + b"\r\n"


def _json(entry: Problem | VideoSummary) -> bytes:
    return entry.model_dump_json(exclude_none=True).encode()
