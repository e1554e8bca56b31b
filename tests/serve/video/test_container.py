"""What is opened as a video, and what is refused, in one line, before a frame is decoded."""

import io
from pathlib import Path

import av
import pytest

from serve.video.container import ClipLimits, open_clip
from serve.video.errors import UnknownVideoError, VideoError, VideoTooLargeError
from serve.video.frames import read_frames
from tests.serve.video.clips import clip, eight_k, sound_only, with_frames_elsewhere, without_frames

LIMITS = ClipLimits(pixels=100_000, frames=100, seconds=100)


def open_bytes(data: bytes, limits: ClipLimits = LIMITS) -> tuple[str, int]:
    with open_clip(io.BytesIO(data), limits) as opened:
        return opened.stream.codec_context.name, opened.stream.codec_context.thread_count


@pytest.mark.parametrize(
    ("container", "codec", "decoder"),
    [
        ("mp4", "libx264", "h264"),
        ("mov", "mpeg4", "mpeg4"),
        ("matroska", "libx264", "h264"),
        ("webm", "libvpx-vp9", "vp9"),
        ("avi", "mpeg4", "mpeg4"),
        ("mpegts", "mpeg2video", "mpeg2video"),
    ],
)
def test_the_containers_and_codecs_that_cameras_write_are_read(container: str, codec: str, decoder: str) -> None:
    assert open_bytes(clip(3, container=container, codec=codec)) == (decoder, 1)


REACHING_OUT = {
    "m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "concat": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "dash": b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><BaseURL>http://localhost/</BaseURL></MPD>",
    "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "address": b"http://127.0.0.1:9/clip.mp4",
    "picture": b"\x89PNG\r\n\x1a\n",
    "nothing": b"",
}


@pytest.mark.parametrize("data", REACHING_OUT.values(), ids=REACHING_OUT)
def test_what_names_other_files_is_no_video(data: bytes) -> None:
    with pytest.raises(UnknownVideoError, match="no video that is read here: give an MP4, MOV, WebM"):
        open_bytes(data)


@pytest.mark.parametrize("head", [b"\0\0\0\x18ftypisom", b"\x1a\x45\xdf\xa3", b"RIFF\xff\0\0\0AVI "])
@pytest.mark.parametrize("data", [REACHING_OUT["m3u8"], b"\0" * 600, b"\xff" * 600])
def test_a_video_by_its_first_bytes_only_is_damaged(head: bytes, data: bytes) -> None:
    with pytest.raises(VideoError):
        open_bytes(head + data)


def test_a_reference_to_another_file_is_not_followed(tmp_path: Path) -> None:
    """An MP4 may say that its frames lie elsewhere. The library opens files past the interpreter and its audit."""
    other = tmp_path / "other.mp4"
    other.write_bytes(clip(2))
    video = io.BytesIO(with_frames_elsewhere(other.read_bytes(), other))
    careless = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(video, "r", format="mp4", options=careless) as container:
        assert len(list(container.decode(video=0))) == 2, "this proves nothing"
    video.seek(0)
    with pytest.raises(VideoError), open_clip(video, LIMITS) as opened:
        list(read_frames(opened))


@pytest.mark.parametrize(
    ("limits", "line"),
    [
        (ClipLimits(3071, 100, 100), r"64 x 48 pixels, more than the limit of 3071"),
        (ClipLimits(3072, 5, 100), r"6 frames, the limit is 5"),
        (ClipLimits(3072, 6, 0.2), r"takes 0.2 s, the limit is 0.2 s"),
    ],
)
def test_a_header_beyond_a_limit_is_refused(limits: ClipLimits, line: str) -> None:
    with pytest.raises(VideoTooLargeError, match=line):
        open_bytes(clip(6), limits)


def test_8k_is_refused_by_its_header() -> None:
    with pytest.raises(VideoTooLargeError, match="7680 x 4320 pixels"):
        open_bytes(eight_k(), ClipLimits(4096 * 2304, 100, 100))


def test_sound_without_a_picture_is_refused() -> None:
    with pytest.raises(UnknownVideoError, match="no moving picture"):
        open_bytes(sound_only())


def test_a_codec_that_is_not_read_is_named() -> None:
    with pytest.raises(UnknownVideoError, match=r"the codec 'ffv1', which is not read here: give one of H.264, H.265"):
        open_bytes(clip(1, container="matroska", codec="ffv1"))


def test_a_header_that_is_cut_off_is_damage() -> None:
    data = clip()
    with pytest.raises(VideoError, match="damaged or cut off"):
        open_bytes(data[: data.index(b"moov") + 20])


def test_a_picture_without_frames_is_opened() -> None:
    """That there are none is seen when they are read."""
    assert open_bytes(without_frames())[0] == "h264"
