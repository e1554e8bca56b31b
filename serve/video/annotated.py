"""Frames with the classes' colours over them as an MP4: H.264, in fragments, so that it plays while it is made."""

from fractions import Fraction
from typing import BinaryIO

import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from serve.video.errors import VideoTooLargeError

_TICKS = Fraction(1, 90_000)  # a second's parts in MPEG: no frame's time is rounded by more
_CRF = "23"  # x264's own default for the quality
_FRAGMENT_S = 1  # a key frame begins each fragment
_LEAST_RATE, _MOST_RATE = 1, 240  # frames a second that are believed
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_BT709 = 1
_LONGEST_SIDE = 16_384  # pixels, of x264


class AnnotatedVideo:
    """Writes RGB frames into ``file``, which need not be seekable. All frames have the size of the first.

    x264 has one thread and holds no frame back: memory stays that of a few frames, and what comes in goes out.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._container = av.open(file, "w", format="mp4", options=_FRAGMENTED)
        self._stream: VideoStream | None = None
        self._last = -1
        self._to_yuv = VideoReformatter()

    def write(self, image: NDArray[np.uint8], time_s: float, rate: Fraction) -> None:
        """A frame ``(H, W, 3)`` that is shown from ``time_s`` on. Sides that are odd grow by a pixel.

        Raises:
            VideoTooLargeError: a side is longer than x264 takes.
        """
        if self._stream is None:
            self._stream = self._begin(image, rate)
        frame = av.VideoFrame.from_ndarray(self._fitted(image, self._stream), "rgb24")
        frame = self._to_yuv.reformat(
            frame, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
        )
        self._last = max(self._last + 1, round(time_s / _TICKS))  # two frames at one time would end the file
        frame.pts, frame.time_base = self._last, _TICKS
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what is left. A file without frames stays empty."""
        if self._stream is not None:
            self._container.mux(self._stream.encode(None))
        self.close()

    def close(self) -> None:
        """Free encoder and file."""
        self._container.close()

    def _begin(self, image: NDArray[np.uint8], rate: Fraction) -> VideoStream:
        if max(image.shape) > _LONGEST_SIDE:
            what = f"frames with a side of {max(image.shape)} pixels, H.264 has {_LONGEST_SIDE}"
            raise VideoTooLargeError(f"{what}: ask for another form than MP4, or for size=network")
        rate = min(max(rate, Fraction(_LEAST_RATE)), Fraction(_MOST_RATE)).limit_denominator(1001)
        stream = self._container.add_stream("libx264", rate=rate)
        stream.options = {"preset": "veryfast", "tune": "zerolatency", "crf": _CRF}
        stream.height, stream.width = (side + side % 2 for side in image.shape[:2])
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = _TICKS
        context.gop_size = max(1, round(rate * _FRAGMENT_S))
        context.thread_count = 1
        context.color_range, context.colorspace = ColorRange.MPEG, _BT709
        context.color_primaries = context.color_trc = _BT709
        return stream

    @staticmethod
    def _fitted(image: NDArray[np.uint8], stream: VideoStream) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        if (height + height % 2, width + width % 2) != (stream.height, stream.width):  # the source changed its size
            return np.asarray(cv2.resize(image, (stream.width, stream.height), interpolation=cv2.INTER_AREA), np.uint8)
        if (height, width) == (stream.height, stream.width):
            return image
        bottom, right = stream.height - height, stream.width - width
        return np.asarray(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
