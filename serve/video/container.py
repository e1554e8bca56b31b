"""A stranger's video, opened: by what its first bytes say, with these bytes alone, no further than the limits.

FFmpeg finds out by itself which of its hundreds of containers a file is. Among them are playlists, which name further
files and addresses to be opened. Here it is told the container, one of four that hold everything themselves; whatever
asks for another file all the same is refused. Probing, too, uses the allowed decoders only.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, NoReturn

import av
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from serve.video.errors import NO_PICTURE, UnknownVideoError, VideoError, VideoTooLargeError
from serve.video.tables import bounded
from train.errors import UserError

CONTAINERS = "MP4, MOV, WebM, Matroska, AVI or MPEG-TS"

_CODECS = {
    "h264": "H.264",
    "hevc": "H.265",
    "vp8": "VP8",
    "vp9": "VP9",
    "av1": "AV1",
    "libdav1d": "AV1",
    "mpeg4": "MPEG-4",
    "mpeg2video": "MPEG-2",
    "mjpeg": "Motion JPEG",
}
"""Decoders, by FFmpeg's name."""

_TS_PACKET = 188  # bytes, each begins with the same one
_TS_SYNC = 0x47
_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot")
_HEAD = 3 * _TS_PACKET

_SAMPLES_PER_FRAME = 4  # where sound shares a table with the picture
_SPARE_SAMPLES = 2**16  # the exact bound on frames has a better line
_ALIGNMENT = 2  # decoders round sides up to whole blocks; the exact bound is checked frame by frame


@dataclass(frozen=True)
class ClipLimits:
    """How much of a video is decoded."""

    pixels: int
    """Of a frame."""
    frames: int
    seconds: float


@dataclass(frozen=True)
class Clip:
    """An open video, and the stream of it that is shown."""

    container: InputContainer
    stream: VideoStream
    limits: ClipLimits


@contextmanager
def open_clip(file: BinaryIO, limits: ClipLimits) -> Iterator[Clip]:
    """Open a video that lies in memory, or is a file of one's own. Its decoder has one thread.

    Raises:
        UnknownVideoError: no such container, no picture in it, or none of the codecs.
        VideoTooLargeError: the header announces more than ``limits``; no frame was decoded.
        VideoError: the header is damaged or cut off.
    """
    container = _open(file, limits)
    try:
        stream = _picture(container)
        _check(container, stream, limits)
        stream.codec_context.options = _decoder_options(limits)  # or frames that grow later are decoded to be refused
        stream.thread_count = 1
        stream.thread_type = "NONE"
        yield Clip(container, stream, limits)
    finally:
        container.close()


def _open(file: BinaryIO, limits: ClipLimits) -> InputContainer:
    demuxer = _demuxer(file.read(_HEAD))
    file.seek(0)
    if demuxer is None:
        raise UnknownVideoError(f"the bytes are no video that is read here: give an {CONTAINERS} file")
    if demuxer == "mp4":
        file = bounded(file, _SAMPLES_PER_FRAME * limits.frames + _SPARE_SAMPLES)
    options = {
        "codec_whitelist": ",".join(_CODECS),
        "protocol_whitelist": "",
        "enable_drefs": "0",
        **_decoder_options(limits),
    }
    try:
        return av.open(file, "r", format=demuxer, options=options, metadata_errors="replace", io_open=_refuse)
    except (av.FFmpegError, UserError, ValueError) as error:
        reason = f"the video is damaged or cut off ({_words(error)}): give it whole"
        raise VideoError(reason) from None


def _decoder_options(limits: ClipLimits) -> dict[str, str]:
    return {"max_pixels": str(_ALIGNMENT * limits.pixels)}


def _demuxer(head: bytes) -> str | None:
    if head[4:8] in _MP4_BOXES:
        return "mp4"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "avi"
    if len(head) == _HEAD and all(head[start] == _TS_SYNC for start in range(0, _HEAD, _TS_PACKET)):
        return "mpegts"
    return None


def _refuse(*_: object) -> NoReturn:
    raise VideoError("it refers to another file")


def _picture(container: InputContainer) -> VideoStream:
    """The first stream that moves: a cover picture is none."""
    streams = container.streams.video
    stream = next((stream for stream in streams if not stream.disposition & Disposition.attached_pic), None)
    if not len(container.streams):
        raise VideoError("the video is damaged or cut off (nothing is in it): give it whole")
    if stream is None:
        raise UnknownVideoError(NO_PICTURE)
    context = stream.codec_context
    if context is None or context.name not in _CODECS:
        codec = "an unknown codec" if context is None else f"the codec '{context.name}'"
        names = ", ".join(dict.fromkeys(_CODECS.values()))
        raise UnknownVideoError(f"the video has {codec}, which is not read here: give one of {names}")
    return stream


def _check(container: InputContainer, stream: VideoStream, limits: ClipLimits) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if not width * height:
        raise VideoError("the video has no frame, or none whose size is known: give it whole")
    if width * height > limits.pixels:
        raise too_many_pixels(width, height, limits)
    if stream.frames > limits.frames:
        raise VideoTooLargeError(f"the video has {stream.frames} frames, the limit is {limits.frames}: cut it")
    seconds = (container.duration or 0) / av.time_base
    if seconds > limits.seconds:
        raise VideoTooLargeError(f"the video takes {seconds:.1f} s, the limit is {limits.seconds:g} s: cut it")


def too_many_pixels(width: int, height: int, limits: ClipLimits) -> VideoTooLargeError:
    """The error of a frame that is too large."""
    size = f"frames of {width} x {height} pixels, more than the limit of {limits.pixels}"
    return VideoTooLargeError(f"the video has {size}: give a smaller one or raise the limit")


def _words(error: Exception) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split()).lower()
