"""The frames of a video, one after the other: upright RGB with its time, or what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import cv2
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from serve.video.container import Clip, too_many_pixels
from serve.video.errors import VideoError, VideoTooLargeError
from train.data.image import DecodedImage

# Counterclockwise degrees of the display matrix to what makes the frame upright.
_TURNS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, -90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, -180: cv2.ROTATE_180}
_TURNED = "turned upright by its display matrix"
_DEFAULT_RATE = Fraction(25)


@dataclass(frozen=True)
class Frame:
    """A frame as a player would show it."""

    number: int
    """From 0, broken ones and those that are passed over counted."""
    time_s: float
    """From the beginning of the video, in seconds."""
    decoded: DecodedImage
    rate: Fraction
    """Frames a second, as the container says; the times need not keep to it."""


@dataclass(frozen=True)
class BrokenFrame:
    """A frame that cannot be decoded, or only in part."""

    number: int
    time_s: float | None
    error: Exception


def read_frames(clip: Clip, every: int = 1) -> Iterator[Frame | BrokenFrame]:
    """Every n-th frame of ``clip``, and all broken ones; see `read_steps`."""
    return (frame for frame in read_steps(clip, every) if frame is not None)


def read_steps(clip: Clip, every: int = 1) -> Iterator[Frame | BrokenFrame | None]:
    """Every n-th frame of ``clip``, and all broken ones. Damage is no end: it goes on with the next packet.

    None stands for a piece of work without such a frame, so that nobody has to wait for many of them.

    A frame whose decoder had to make up a part of it is broken too. Broken frames come in the order of decoding, which
    is not always that of showing.

    Raises:
        VideoTooLargeError: there are more frames, pixels or seconds than allowed; the frames before were given.
        VideoError: the video ends in the middle of a frame, or there is none at all.
    """
    reader = _Reader(clip, every)
    for packet in _packets(clip):
        steps = reader.decode(packet)
        yield next(steps, None)
        yield from steps
    if reader.cut_off:
        raise VideoError(f"the video is cut off after {reader.count} frames: give it whole")
    if not reader.good:
        broken = f", {reader.count} are damaged" if reader.count else ""
        raise VideoError(f"the video has no frame that can be decoded{broken}: give it whole")


def _packets(clip: Clip) -> "Iterator[Packet[VideoStream]]":
    """Up to the end, or to where the container's structure is lost."""
    packets = clip.container.demux(clip.stream)
    while True:
        try:
            yield next(packets)
        except StopIteration:
            return
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"the video is damaged from here on ({error}): give it whole") from None


class _Reader:
    def __init__(self, clip: Clip, every: int) -> None:
        self.count = 0
        self.good = 0
        self.cut_off = False
        self._clip = clip
        self._every = every
        self._rate = clip.stream.average_rate or clip.stream.guessed_rate or _DEFAULT_RATE
        self._start = clip.stream.start_time or 0
        self._last_s = -1 / float(self._rate)
        self._to_rgb = VideoReformatter()

    def decode(self, packet: "Packet[VideoStream]") -> Iterator[Frame | BrokenFrame | None]:
        """The frames that a packet completes."""
        if packet.size:
            self.cut_off = packet.is_corrupt  # a reader that came to the end of the file within a packet marks it
        try:
            frames = packet.decode()
        except (av.FFmpegError, ValueError) as error:
            if packet.size:
                yield self._broken(packet.pts, f"cannot be decoded ({getattr(error, 'strerror', error)})")
            return
        for frame in frames:
            yield self._checked(frame)

    def _checked(self, frame: VideoFrame) -> Frame | BrokenFrame | None:
        limits = self._clip.limits
        if frame.width * frame.height > limits.pixels:
            raise too_many_pixels(frame.width, frame.height, limits)
        if frame.is_corrupt:
            return self._broken(frame.pts, "is damaged")
        time_s = self._time_s(frame.pts)
        time_s = self._last_s + 1 / float(self._rate) if time_s is None else time_s
        self._count(time_s)
        self.good += 1
        if (self.count - 1) % self._every:
            return None
        try:
            return Frame(self.count - 1, time_s, self._upright(frame), self._rate)
        except (av.FFmpegError, ValueError) as error:
            return BrokenFrame(self.count - 1, time_s, VideoError(f"frame {self.count - 1} has odd pixels ({error})"))

    def _broken(self, pts: int | None, what: str) -> BrokenFrame:
        time_s = self._time_s(pts)
        self._count(time_s)
        number = self.count - 1
        return BrokenFrame(number, time_s, VideoError(f"frame {number} {what}: the frames after it may be spoilt too"))

    def _count(self, time_s: float | None) -> None:
        limits = self._clip.limits
        if self.count >= limits.frames:
            raise VideoTooLargeError(f"the video has more than {limits.frames} frames, the limit: cut it")
        if time_s is not None:
            if time_s > limits.seconds:
                raise VideoTooLargeError(f"the video takes more than {limits.seconds:g} s, the limit: cut it")
            self._last_s = time_s
        self.count += 1

    def _time_s(self, pts: int | None) -> float | None:
        base = self._clip.stream.time_base
        return None if pts is None or base is None else float((pts - self._start) * base)

    def _upright(self, frame: VideoFrame) -> DecodedImage:
        rgb = self._to_rgb.reformat(frame, format="rgb24")
        pixels: NDArray[np.uint8] = np.asarray(rgb.to_ndarray(), np.uint8)
        turn = _TURNS.get(frame.rotation)
        if turn is None:
            return DecodedImage(pixels)
        return DecodedImage(np.asarray(cv2.rotate(pixels, turn), np.uint8), [_TURNED])
