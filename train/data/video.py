"""Frames of a video file by number (no torch)."""

import os
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from train.errors import UserError

VIDEO_SUFFIXES = {".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v"}

_MOST_OPEN = 8
"""Decoders that a process keeps open: each holds a few frames, and a dataset may have thousands of videos."""

_NEAR = 8
"""Frames: a frame this near ahead is reached faster by decoding on than by seeking the key frame before it."""


class VideoFile:
    """A video of constant frame rate.

    A frame is decoded from the key frame before it: tens of milliseconds for a video of few key frames. A frame that
    cannot be decoded is an error, and so are those after it that need it. What a decoder conceals, a block that it
    makes up for some damaged bytes, is not noticed.

    Raises:
        UserError: no video, without frames, or ending earlier than its header says.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        capture = self._decoder()
        self._length = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.frames_per_s = float(capture.get(cv2.CAP_PROP_FPS))
        if self._length <= 0 or self.frames_per_s <= 0:
            raise UserError(f"{path}: a video without frames: replace or remove it")
        if self._decode(self._length - 1) is None:
            _open_decoder.cache_clear()
            raise UserError(
                f"{path}: ends early or is damaged: it announces {self._length} frames, but the last cannot be "
                f"decoded: copy it whole, or write it anew (ffmpeg -i {path.name} NEW.mkv)"
            )

    def __len__(self) -> int:
        return self._length

    def frame_name(self, number: int) -> str:
        """The number, as masks and files of flow are named after it."""
        return f"{number:06d}"

    def read(self, number: int) -> NDArray[np.uint8]:
        """Frame ``number`` as RGB ``(H, W, 3)``. `UserError` if it cannot be decoded."""
        frame = self._decode(number)
        if frame is None:
            _open_decoder.cache_clear()  # a decoder that failed counts frames wrongly from then on
            raise UserError(
                f"{self.path}: frame {number} of {self._length} cannot be decoded: replace or remove the video"
            )
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)

    def _decode(self, number: int) -> NDArray[np.uint8] | None:
        capture = self._decoder()
        position = int(capture.get(cv2.CAP_PROP_POS_FRAMES))
        if not position <= number <= position + _NEAR:
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        else:
            for _ in range(number - position):
                capture.grab()
        decoded, frame = capture.read()
        # Damage makes OpenCV miscount; the frame's own time does not lie.
        shown = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 * self.frames_per_s
        return np.asarray(frame, np.uint8) if decoded and abs(shown - number) < 0.5 else None

    def _decoder(self) -> cv2.VideoCapture:
        capture = _open_decoder(self.path, os.getpid())
        if not capture.isOpened():
            _open_decoder.cache_clear()
            raise UserError(f"{self.path}: cannot be opened as a video: replace or remove it")
        return capture


@lru_cache(maxsize=_MOST_OPEN)
def _open_decoder(path: Path, _process: int) -> cv2.VideoCapture:
    """The decoder of a file in this process: a forked one must not share its parent's.

    What is wrong with a video is said by an error, in one line, and not by the libraries on stderr.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    finally:
        cv2.utils.logging.setLogLevel(level)
