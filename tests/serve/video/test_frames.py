"""The frames of a video: pixels, times, rotation, and what becomes of damage."""

import dataclasses
import io

import numpy as np
import pytest

from serve.video.container import ClipLimits, open_clip
from serve.video.errors import VideoError, VideoTooLargeError
from serve.video.frames import BrokenFrame, Frame, read_frames, read_steps
from tests.serve.video.clips import broken, clip, cut_off, index_in_front, picture, turned, without_frames

LIMITS = ClipLimits(pixels=100_000, frames=100, seconds=100)


def frames_of(data: bytes, limits: ClipLimits = LIMITS, every: int = 1) -> list[Frame | BrokenFrame]:
    with open_clip(io.BytesIO(data), limits) as opened:
        return list(read_frames(opened, every))


def pixels_of(frame: Frame | BrokenFrame) -> np.ndarray:
    assert isinstance(frame, Frame)
    return frame.decoded.pixels


@pytest.mark.parametrize(("container", "codec"), [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4")])
def test_frames_are_rgb_in_their_order_at_their_times(container: str, codec: str) -> None:
    frames = frames_of(clip(5, container=container, codec=codec))
    assert [frame.number for frame in frames] == list(range(5))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    for frame in frames:
        difference = pixels_of(frame).astype(int) - picture(frame.number, 48, 64)
        assert np.abs(difference).mean() < 20  # of a codec that halves the resolution of colours


def test_times_of_a_variable_frame_rate_are_kept() -> None:
    times_ms = [0, 10, 300, 1000, 1005]
    for container in ("mp4", "matroska"):
        frames = frames_of(clip(5, container=container, times_ms=times_ms))
        assert [frame.time_s for frame in frames] == pytest.approx([ms / 1000 for ms in times_ms], abs=1e-4)


def test_times_count_from_the_first_frame() -> None:
    """A transport stream begins at any hour."""
    frames = frames_of(clip(3, container="mpegts", times_ms=[70_000, 70_040, 70_080]))
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.04, 0.08])


def test_a_telephone_held_upright_gives_upright_frames() -> None:
    plain, upright = frames_of(clip(2)), frames_of(turned(clip(2)))
    for frame, before in zip(upright, plain, strict=True):
        assert isinstance(frame, Frame)
        np.testing.assert_array_equal(pixels_of(frame), np.rot90(pixels_of(before), -1))
        assert frame.decoded.notes == ["turned upright by its display matrix"]


def test_every_third_frame_is_given_with_its_own_number_and_time() -> None:
    frames = frames_of(clip(8), every=3)
    assert [(frame.number, frame.time_s) for frame in frames] == [(0, 0.0), (3, 0.12), (6, pytest.approx(0.24))]


def test_a_broken_frame_is_told_and_the_others_follow() -> None:
    frames = frames_of(broken(clip(9), 4))
    bad = [frame for frame in frames if isinstance(frame, BrokenFrame)]
    assert len(frames) == 9
    assert len(bad) >= 1
    assert "the frames after it may be spoilt too" in str(bad[0].error)
    assert [frame.number for frame in frames] == list(range(9))
    assert isinstance(frames[-1], Frame)  # behind the next key frame


def test_of_broken_frames_alone_none_can_be_decoded() -> None:
    data = clip(3)
    for number in range(3):
        data = broken(data, number)
    with pytest.raises(VideoError, match="no frame that can be decoded, 3 are damaged: give it whole"):
        frames_of(data)


def test_a_video_without_frames_is_told() -> None:
    with pytest.raises(VideoError, match="no frame"):
        frames_of(without_frames())


def test_a_video_that_is_cut_off_gives_what_is_there_and_says_so() -> None:
    with open_clip(io.BytesIO(cut_off(index_in_front(clip(20)))), LIMITS) as opened:
        frames = read_frames(opened)
        assert [next(frames).number for _ in range(10)] == list(range(10))
        with pytest.raises(VideoError, match=r"cut off after 1\d frames: give it whole"):
            list(frames)


@pytest.mark.parametrize(
    ("limits", "line"),
    [
        (ClipLimits(5000, 3, 100), "more than 3 frames, the limit"),
        (ClipLimits(5000, 100, 2), "more than 2 s, the limit"),
        (ClipLimits(3000, 100, 100), "64 x 48 pixels, more than the limit of 3000"),
    ],
)
def test_limits_hold_where_the_header_lied(limits: ClipLimits, line: str) -> None:
    video = io.BytesIO(clip(6, times_ms=[0, 40, 80, 120, 160, 5000]))
    with open_clip(video, LIMITS) as opened, pytest.raises(VideoTooLargeError, match=line):
        list(read_frames(dataclasses.replace(opened, limits=limits)))


def test_frames_that_are_passed_over_are_steps_too() -> None:
    """Or a video of which every thousandth frame is wanted would hold a thread until then."""
    with open_clip(io.BytesIO(clip(9)), LIMITS) as opened:
        steps = list(read_steps(opened, every=8))
    assert [step.number for step in steps if step is not None] == [0, 8]
    assert sum(step is None for step in steps) >= 7
