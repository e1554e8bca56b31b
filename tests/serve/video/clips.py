"""Small videos whose right answer is known, and what can be wrong with them."""

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

MILLISECOND = Fraction(1, 1000)
COLOURS = np.array([(200, 30, 30), (30, 200, 30), (30, 30, 200)], np.uint8)


def picture(number: int, height: int, width: int) -> np.ndarray:
    """Three vertical bars, red, green, blue, which move by one with each frame."""
    bars = np.arange(width) * 3 // width
    return np.broadcast_to(COLOURS[(bars + number) % 3], (height, width, 3)).copy()


def ids(number: int, height: int, width: int) -> np.ndarray:
    """What the brightest channel of a picture is."""
    return picture(number, height, width).argmax(-1).astype(np.uint8)


def clip(
    frames: int = 6,
    size: tuple[int, int] = (48, 64),
    container: str = "mp4",
    codec: str = "libx264",
    times_ms: Sequence[int] | None = None,
) -> bytes:
    """A video of `picture`, at 25 frames a second unless told otherwise."""
    return clip_of([picture(number, *size) for number in range(frames)], container, codec, times_ms)


def clip_of(
    pictures: Sequence[np.ndarray],
    container: str = "mp4",
    codec: str = "libx264",
    times_ms: Sequence[int] | None = None,
) -> bytes:
    """A video of RGB ``(H, W, 3)``."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=25, options={"preset": "ultrafast"} if codec == "libx264" else {})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = MILLISECOND if times_ms else Fraction(1, 25)
        stream.codec_context.gop_size = 3
        stream.codec_context.thread_count = 1
        for number, pixels in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            if times_ms:
                frame.pts, frame.time_base = times_ms[number], MILLISECOND
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def sound_only() -> bytes:
    """A file with sound and no picture."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        stream = output.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame(format="s16", layout="mono", samples=1024)
        frame.sample_rate, frame.pts, frame.time_base = 8000, 0, Fraction(1, 8000)
        output.mux(stream.encode(frame))
    return file.getvalue()


def without_frames() -> bytes:
    """An MP4 that announces a picture and has no frame of it."""
    data = index_in_front(clip(1))
    return data[: data.index(b"moof") - 4]


def eight_k() -> bytes:
    """A black frame of 7680 x 4320 pixels."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 7680, 4320, "yuv420p"
        output.mux(stream.encode(av.VideoFrame(7680, 4320, "yuv420p")))
        output.mux(stream.encode(None))
    return file.getvalue()


def turned(data: bytes) -> bytes:
    """An MP4 whose display matrix turns it clockwise by a quarter, as that of a telephone held upright."""
    matrix = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    return _replaced(data, data.index(b"tkhd") + 44, matrix)


def broken(data: bytes, number: int) -> bytes:
    """An MP4 one of whose frames, by the order of decoding, is no frame."""
    with av.open(io.BytesIO(data)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
        assert packet.pos is not None
        return _replaced(data, packet.pos, b"\xff" * packet.size)


def cut_off(data: bytes) -> bytes:
    """An MPEG-TS, or an MP4 whose index is in front, that ends in the middle of a frame."""
    with av.open(io.BytesIO(data)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
        last = packets[len(packets) // 2]
        assert last.pos is not None
        return data[: last.pos + last.size // 2]


def index_in_front(data: bytes) -> bytes:
    """The same MP4 as a fragment a second, which needs no index at its end."""
    file = io.BytesIO()
    movflags = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(io.BytesIO(data)) as source, av.open(file, "w", format="mp4", options=movflags) as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    return file.getvalue()


def with_frames_elsewhere(data: bytes, path: Path) -> bytes:
    """An MP4 that says, by an alias record, that its frames lie in another file, at the same places."""
    name = str(path).encode()
    name += b"\0" * (len(name) % 2)
    alias = bytes(150) + struct.pack(">HH", 2, len(name)) + name + b"\xff\xff\0\0"
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias
    start = data.index(b"dref") + 12
    former = int.from_bytes(data[start : start + 4], "big")
    for box in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        place = data.rindex(box) - 4
        size = int.from_bytes(data[place : place + 4], "big") + len(entry) - former
        data = _replaced(data, place, size.to_bytes(4, "big"))
    return data[:start] + entry + data[start + former :]


def _replaced(data: bytes, start: int, new: bytes) -> bytes:
    return data[:start] + new + data[start + len(new) :]
