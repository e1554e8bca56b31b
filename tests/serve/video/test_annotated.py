"""An MP4 that is written while it is sent."""

import io
from fractions import Fraction
from typing import BinaryIO, cast

import av
import numpy as np
import pytest

from serve.video.annotated import AnnotatedVideo
from serve.video.errors import VideoTooLargeError

GREEN = np.zeros((48, 64, 3), np.uint8) + np.array([20, 180, 20], np.uint8)


class WriteOnly:
    """As a connection: what is written is gone."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def written(images: list[np.ndarray], times_s: list[float]) -> bytes:
    file = WriteOnly()
    video = AnnotatedVideo(cast(BinaryIO, file))
    for image, time_s in zip(images, times_s, strict=True):
        video.write(image, time_s, Fraction(25))
    video.finish()
    return file.data


def read(data: bytes) -> list[tuple[float, np.ndarray]]:
    with av.open(io.BytesIO(data)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def test_frames_have_their_times() -> None:
    times_s = [0.0, 0.01, 0.3, 2.0]
    frames = read(written([GREEN] * 4, times_s))
    assert [time for time, _ in frames] == pytest.approx(times_s)


def test_the_colours_are_those_of_high_definition_and_marked_so() -> None:
    """Without a mark players guess by the size, and greens turn yellow."""
    with av.open(io.BytesIO(written([GREEN], [0.0]))) as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)
        planes = next(container.decode(video=0)).to_ndarray(format="yuv420p")
    red, green, blue = GREEN[0, 0] / 255
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue  # BT.709
    assert planes[0, 0] == pytest.approx(16 + 219 * luma, abs=2)
    assert planes[48, 0] == pytest.approx(128 + 224 * (blue - luma) / 1.8556, abs=2)
    assert planes[-1, 0] == pytest.approx(128 + 224 * (red - luma) / 1.5748, abs=2)


def test_pieces_come_before_the_end() -> None:
    file = WriteOnly()
    video = AnnotatedVideo(cast(BinaryIO, file))
    for number in range(80):
        video.write(GREEN, number / 25, Fraction(25))
    early = file.data
    video.finish()
    assert file.data.startswith(early)
    assert len(read(early)) >= 50  # what has come can be played


@pytest.mark.parametrize("size", [(1, 1), (47, 63), (48, 64), (2, 500)])
def test_every_size_can_be_written(size: tuple[int, int]) -> None:
    (_, image), _ = read(written([np.zeros((*size, 3), np.uint8)] * 2, [0.0, 0.04]))
    assert image.shape[:2] == (size[0] + size[0] % 2, size[1] + size[1] % 2)


def test_a_source_that_changes_its_size_keeps_the_first() -> None:
    frames = read(written([GREEN, np.zeros((100, 90, 3), np.uint8)], [0.0, 0.04]))
    assert [image.shape for _, image in frames] == [(48, 64, 3)] * 2


def test_two_frames_of_one_time_follow_each_other() -> None:
    frames = read(written([GREEN] * 3, [0.0, 0.0, 0.0]))
    assert [time for time, _ in frames] == pytest.approx([0.0, 0.0, 0.0], abs=1e-3)


def test_a_video_without_frames_is_closed() -> None:
    assert written([], []) == b""


def test_a_side_that_the_encoder_does_not_take_is_told() -> None:
    with pytest.raises(VideoTooLargeError, match=r"a side of 16386 pixels, H.264 has 16384"):
        written([np.zeros((16, 16_386, 3), np.uint8)], [0.0])
