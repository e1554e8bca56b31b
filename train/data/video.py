"""Frames of a video file by number (no torch)."""

import os
from bisect import bisect_right
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

_FURTHER_BACK_S = (1, 8, 64)
"""Seconds before a frame of a video of variable frame rate that are sought, one after the other, to decode on from."""

_ROUNDING_MS = 1.5
"""Containers round a frame's time, Matroska to a millisecond."""


class VideoFile:
    """A video, of constant frame rate or not, upright as its rotation metadata say.

    Frames are known by the times in the container, which is read once without decoding, and numbered in their order.
    A frame is decoded from the key frame before it: tens of milliseconds for a video of few key frames. A frame that
    cannot be decoded is an error, and so are those after it that need it. What a decoder conceals, a block that it
    makes up for some damaged bytes, is not noticed.

    Args:
        path: of the file.
        whole: whether it is an error that the video ends earlier than its header says; else the frames that are there
            are all.

    Raises:
        UserError: no video, without frames, or ending earlier than its header says.
    """

    def __init__(self, path: Path, whole: bool = True) -> None:
        self.path = path
        self.name = path.stem
        capture = self._decoder()
        self.announced = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        """Frames that there should be."""
        header_rate = float(capture.get(cv2.CAP_PROP_FPS))
        if self.announced <= 0 or header_rate <= 0:
            raise UserError(f"{path}: a video without frames: replace or remove it")
        self._times_ms = _times_ms(path, self.announced, header_rate)
        self._even = _are_even(self._times_ms)
        self.frames_per_s = header_rate if self._even else _mean_rate(self._times_ms)
        if whole and (len(self) < self.announced or self._decode(len(self) - 1) is None):
            _open_decoder.cache_clear()
            raise UserError(
                f"{path}: ends early or is damaged: it announces {self.announced} frames, but the last cannot be "
                f"decoded: copy it whole, or write it anew (ffmpeg -i {path.name} NEW.mkv)"
            )

    def __len__(self) -> int:
        return len(self._times_ms)

    @property
    def files(self) -> list[Path]:
        """What it is read from."""
        return [self.path]

    def frame_name(self, number: int) -> str:
        """The number, as masks and files of flow are named after it."""
        return f"{number:06d}"

    def read(self, number: int) -> NDArray[np.uint8]:
        """Frame ``number`` as RGB ``(H, W, 3)``. `UserError` if it cannot be decoded."""
        frame = self._decode(number)
        if frame is None:
            _open_decoder.cache_clear()  # a decoder that failed counts frames wrongly from then on
            raise UserError(
                f"{self.path}: frame {number} of {len(self)} cannot be decoded: replace or remove the video"
            )
        return np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), np.uint8)

    def _decode(self, number: int) -> NDArray[np.uint8] | None:
        return self._decode_even(number) if self._even else self._decode_uneven(number)

    def _decode_even(self, number: int) -> NDArray[np.uint8] | None:
        capture = self._decoder()
        position = int(capture.get(cv2.CAP_PROP_POS_FRAMES))
        if not position <= number <= position + _NEAR:
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        else:
            for _ in range(number - position):
                capture.grab()
        decoded, frame = capture.read()
        # Damage makes OpenCV miscount; the frame's own time does not lie.
        return np.asarray(frame, np.uint8) if decoded and self._shows(capture, number) else None

    def _decode_uneven(self, number: int) -> NDArray[np.uint8] | None:
        """OpenCV seeks by a constant rate: where there is none it may land too late, and is sent further back."""
        capture, wanted = self._decoder(), self._times_ms[number]
        after = bisect_right(self._times_ms, float(capture.get(cv2.CAP_PROP_POS_MSEC)))
        if after <= number <= after + _NEAR and self._walked_to(capture, number):
            return np.asarray(capture.retrieve()[1], np.uint8)
        for back_s in _FURTHER_BACK_S:
            capture.set(cv2.CAP_PROP_POS_MSEC, max(0.0, wanted - 1000 * back_s))
            if self._walked_to(capture, number):
                return np.asarray(capture.retrieve()[1], np.uint8)
        _open_decoder.cache_clear()
        capture = self._decoder()
        return np.asarray(capture.retrieve()[1], np.uint8) if self._walked_to(capture, number) else None

    def _walked_to(self, capture: cv2.VideoCapture, number: int) -> bool:
        """Decode on as far as the frame, or past its time."""
        while capture.grab():
            if capture.get(cv2.CAP_PROP_POS_MSEC) >= self._times_ms[number] - _ROUNDING_MS:
                return self._shows(capture, number)
        return False

    def _shows(self, capture: cv2.VideoCapture, number: int) -> bool:
        off_ms = abs(capture.get(cv2.CAP_PROP_POS_MSEC) - self._times_ms[number])
        return bool(off_ms < (500 / self.frames_per_s if self._even else _ROUNDING_MS))

    def _decoder(self) -> cv2.VideoCapture:
        capture = _open_decoder(self.path, os.getpid())
        if not capture.isOpened():
            _open_decoder.cache_clear()
            raise UserError(f"{self.path}: cannot be opened as a video: replace or remove it")
        return capture


def _times_ms(path: Path, announced: int, rate: float) -> list[float]:
    """When each frame is shown, in order; by the rate where that is not said, or one follows evenly on the other."""
    packets = _capture(path, [cv2.CAP_PROP_FORMAT, -1])  # -1: as they lie there, not decoded
    times = set()
    while packets.grab():
        times.add(float(packets.get(cv2.CAP_PROP_POS_MSEC)))
    found = sorted(times)
    # Damage may end the reading, but not make what comes after it uneven.
    return [1000 * number / rate for number in range(announced)] if _are_even(found) else found


def _are_even(times_ms: list[float]) -> bool:
    steps = np.diff(times_ms)
    return len(steps) == 0 or bool(np.ptp(steps) <= 2 * _ROUNDING_MS)


def _mean_rate(times_ms: list[float]) -> float:
    return 1000 * (len(times_ms) - 1) / (times_ms[-1] - times_ms[0])


@lru_cache(maxsize=_MOST_OPEN)
def _open_decoder(path: Path, _process: int) -> cv2.VideoCapture:
    """The decoder of a file in this process: a forked one must not share its parent's."""
    return _capture(path, [cv2.CAP_PROP_N_THREADS, 1])


def _capture(path: Path, settings: list[int]) -> cv2.VideoCapture:
    """What is wrong with a video is said by an error, in one line, and not by the libraries on stderr."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, settings)
    finally:
        cv2.utils.logging.setLogLevel(level)
