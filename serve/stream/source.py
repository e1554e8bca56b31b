"""Where frames come from."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from serve.stream.capture import camera, gstreamer, rtsp
from serve.stream.file import FileSource
from serve.stream.live import LiveSource
from serve.video.frames import BrokenFrame, Frame
from train.errors import UserError

_FORMS = "camera[:N], rtsp://…, gst:PIPELINE or a file"


class Source(Protocol):
    """Frames, one after the other."""

    name: str
    """For messages, without a password."""
    live: bool
    """It does not wait: what is not taken is lost."""
    length_s: float | None
    """In seconds; None where nobody knows."""
    dropped: int
    """Frames that were superseded so far."""

    def frames(self) -> Iterator[Frame | BrokenFrame]:
        """To its end, which a live source has not."""


@dataclass(frozen=True)
class Wanted:
    """Which source, and which of its frames."""

    name: str
    every: int


def open_source(
    wanted: Wanted, stopped: Callable[[], bool], say: Callable[[str], None]
) -> AbstractContextManager[Source]:
    """Open ``wanted``. ``stopped`` ends the waiting for a live source, ``say`` is told when it is lost and found.

    Raises:
        UserError: there is no such source.
    """
    kind, _, rest = wanted.name.partition(":")
    if kind == "camera":
        if rest and not rest.isdecimal():
            raise UserError(f"--source {wanted.name}: '{rest}' is no number of a camera: give camera:0, camera:1, …")
        return LiveSource(camera(int(rest or "0")), wanted.every, stopped, say)
    if kind in ("rtsp", "rtsps"):
        return LiveSource(rtsp(wanted.name), wanted.every, stopped, say)
    if kind == "gst":
        return LiveSource(gstreamer(rest), wanted.every, stopped, say)
    if "://" in wanted.name:
        raise UserError(f"--source {wanted.name}: not read here: give {_FORMS}")
    return FileSource(Path(wanted.name), wanted.every)
