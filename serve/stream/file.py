"""A video file as a source: every frame, decoded as the server decodes it."""

import math
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import av

from serve.video.container import ClipLimits, open_clip
from serve.video.errors import VideoError
from serve.video.frames import BrokenFrame, Frame, read_frames
from train.data.image import MAX_PIXELS
from train.errors import UserError

_LIMITS = ClipLimits(MAX_PIXELS, sys.maxsize, math.inf)  # it is the user's own file


class FileSource:
    """Frames of a file, with the file's times; none is dropped."""

    live: bool = False

    def __init__(self, path: Path, every: int) -> None:
        self.name = str(path)
        self.length_s: float | None = None
        self.dropped = 0
        self._path = path
        self._every = every
        self._open = ExitStack()

    def __enter__(self) -> "FileSource":
        try:
            file = self._open.enter_context(self._path.open("rb"))
        except OSError as error:
            raise UserError(f"--source {self._path}: cannot be read: {error.strerror}") from None
        try:
            self._clip = self._open.enter_context(open_clip(file, _LIMITS))
        except VideoError as error:
            self._open.close()
            raise UserError(f"--source {self._path}: {error}") from None
        duration = self._clip.container.duration
        self.length_s = duration / av.time_base if duration else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open.close()

    def frames(self) -> Iterator[Frame | BrokenFrame]:
        """As `serve.video.frames.read_frames`."""
        return read_frames(self._clip, self._every)
