"""A video's answer as an annotated MP4."""

from fractions import Fraction
from typing import BinaryIO, cast

from export.manifest import Manifest
from serve.problem import Problem
from serve.video.annotated import AnnotatedVideo
from serve.video.conveyor import SegmentedFrame
from serve.video.form import VideoSummary
from serve.video.frames import BrokenFrame
from train.data.palette import overlay

MP4 = "video/mp4"


class _Sink:
    """A file that is written from its beginning to its end, and emptied meanwhile."""

    def __init__(self) -> None:
        self._data = bytearray()

    def write(self, data: bytes) -> int:
        self._data += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._data)
        self._data.clear()
        return taken


class Mp4:
    """Overlays as H.264. A broken frame is left out: the one before it stays, for as long as the times say."""

    media_type = MP4

    def __init__(self, manifest: Manifest, every: int) -> None:
        self._palette = manifest.palette
        self._every = every
        self._sink = _Sink()
        self._video = AnnotatedVideo(cast(BinaryIO, self._sink))

    def segmented(self, result: SegmentedFrame) -> bytes:
        """What the encoder gives for the next frame; nothing until a second is whole."""
        image = overlay(result.segmentation.image, result.segmentation.ids, self._palette)
        self._video.write(image, result.frame.time_s, result.frame.rate / Fraction(self._every))
        return self._sink.take()

    def broken(self, _: BrokenFrame, __: Problem) -> bytes:
        """Nothing."""
        return b""

    def end(self, _: VideoSummary) -> bytes:
        """The last fragment."""
        self._video.finish()
        return self._sink.take()

    def failed(self, _: Problem) -> None:
        """An MP4 cannot say it."""

    def close(self) -> None:
        """Free the encoder."""
        self._video.close()
