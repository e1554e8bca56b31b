"""An MP4 of some kilobytes must not take the memory of the server."""

import io
import struct
from fractions import Fraction

import av
import numpy as np
import pytest

from serve.video.container import ClipLimits, open_clip
from serve.video.errors import UnknownVideoError, VideoError, VideoTooLargeError
from serve.video.frames import BrokenFrame, Frame, read_frames
from tests.serve.video.clips import clip

LIMITS = ClipLimits(pixels=100_000, frames=100, seconds=100)
MANY = struct.pack(">I", 20_000_000)  # 24 bytes in memory each


def with_count(data: bytes, table: bytes, offset: int) -> bytes:
    """``data`` whose first table of a name says that it has 20 million samples."""
    at = data.index(table) + 4 + offset
    return data[:at] + MANY + data[at + 4 :]


def fragmented() -> bytes:
    with av.open(io.BytesIO(clip(6))) as source:
        file = io.BytesIO()
        with av.open(file, "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov"}) as output:
            stream = output.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [with_count(with_count(clip(6), b"stsz", 8), b"stsz", 4), with_count(fragmented(), b"trun", 4)],
    ids=["header", "fragment"],
)
def test_tables_that_name_millions_of_frames_are_not_believed(data: bytes) -> None:
    with pytest.raises(VideoTooLargeError, match=r"lists 2000000\d frames"), open_clip(io.BytesIO(data), LIMITS):
        pass


def test_edits_that_repeat_the_video_are_refused() -> None:
    data = with_count(clip(6), b"elst", 4)
    with pytest.raises(VideoError, match="20000000 edits, the limit is 16"), open_clip(io.BytesIO(data), LIMITS):
        pass


def test_a_compressed_header_is_refused() -> None:
    data = clip(6).replace(b"udta", b"cmov")
    with pytest.raises(VideoError, match="header is compressed"), open_clip(io.BytesIO(data), LIMITS):
        pass


def with_sound(container: str, codec: str, picture: bool = True) -> bytes:
    """Four frames and a sample of sound for each of 48 000 parts of a second."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        video = output.add_stream("libx264", rate=25) if picture else None
        sound = output.add_stream(codec, rate=48_000, layout="mono")
        for number in range(4):
            samples = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.int16), format="s16", layout="mono")
            samples.sample_rate, samples.pts, samples.time_base = 48_000, number * 1920, Fraction(1, 48_000)
            output.mux(sound.encode(samples))
            if video is not None:
                output.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((480, 640, 3), np.uint8), "rgb24")))
        for stream in (sound, video):
            output.mux(stream.encode(None) if stream else [])
    return file.getvalue()


@pytest.mark.parametrize(("container", "codec"), [("mov", "pcm_s16le"), ("mp4", "aac")])
def test_sound_is_not_looked_at_however_long_its_tables_are(container: str, codec: str) -> None:
    data = with_sound(container, codec)
    at = data.rindex(b"stsz") + 8
    data = data[:at] + struct.pack(">II", 1, 20_000_000) + data[at + 8 :]
    with open_clip(io.BytesIO(data), ClipLimits(640 * 480, 4, 100)) as opened:
        assert not opened.container.streams.audio
        assert [frame.number for frame in read_frames(opened)] == [0, 1, 2, 3]


def test_an_mp4_of_sound_alone_has_no_picture() -> None:
    video = io.BytesIO(with_sound("mp4", "aac", picture=False))
    with pytest.raises(UnknownVideoError, match="no moving picture"), open_clip(video, LIMITS):
        pass


def test_frames_that_grow_on_the_way_are_not_decoded_to_be_refused() -> None:
    """The header of MPEG-TS is at its beginning; what comes later may be of any size."""
    data = clip(60, container="mpegts") + clip(2, size=(960, 1280), container="mpegts")
    with open_clip(io.BytesIO(data), ClipLimits(64 * 48, 100, 100)) as opened:
        frames = list(read_frames(opened))
    assert len(frames) >= 60
    assert isinstance(frames[59], Frame)
    assert all(isinstance(frame, BrokenFrame) for frame in frames[60:])
