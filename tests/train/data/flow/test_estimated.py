import numpy as np
import pytest

from tests.train.data.moving_clips import STEP, moving_frames
from train.data.dataset import FramePlace
from train.data.flow.dis import PRESETS, DisEstimator
from train.data.flow.estimated import EstimatedFlow, consistent
from train.data.flow.pair import FramePair
from train.data.streets import Clip
from train.errors import UserError


def pair(now: np.ndarray, then: np.ndarray) -> FramePair:
    return FramePair(now, then, "film_000000", FramePlace(0, 0), 1)


@pytest.mark.parametrize("preset", PRESETS)
def test_dis_finds_a_known_motion(preset: str) -> None:
    now, then = moving_frames(2)
    flow = EstimatedFlow(DisEstimator(preset), 0.7, None)(pair(now, then))
    error = np.hypot(*(flow.displacement - STEP).transpose(2, 0, 1))
    assert flow.displacement.dtype == np.float32
    assert np.median(error[flow.visible]) < 0.3
    assert flow.visible[4:-4, 4:-8].mean() > 0.8


def test_what_the_check_hides_is_hidden_in_truth() -> None:
    """On a street with exact flow: the error of what is left is smaller, and hidden points are found."""
    clip = Clip(5, (96, 128))
    now, then, exact = clip.frame(9).image, clip.frame(12).image, clip.flow(9, 3)
    checked = EstimatedFlow(DisEstimator("medium"), 0.7, None)(pair(now, then))
    unchecked = EstimatedFlow(DisEstimator("medium"), 0.0, None)(pair(now, then))
    assert np.array_equal(checked.displacement, unchecked.displacement)
    error = np.hypot(*(checked.displacement - exact.displacement).transpose(2, 0, 1))
    assert error[checked.visible].mean() < 0.6 * error[unchecked.visible].mean()
    assert checked.visible[exact.visible].mean() > checked.visible[~exact.visible].mean() + 0.3


def test_consistency_is_the_criterion() -> None:
    there = np.zeros((9, 9, 2), np.float32)
    there[..., 0] = 2
    back = -there
    back[4, 4] += [1, 0]  # seen from (4, 2), two pixels to the left: 1 pixel off, lengths 2 and 1
    assert not consistent(there, back, 0.9)[4, 2]
    assert consistent(there, back, 0.98)[4, 2]  # 1 <= 0.01 (4 + 1) + 0.98²
    others = np.ones((9, 9), bool)
    others[4, 2] = False
    others[:, -2:] = False  # they leave the frame: what is read there is no way back
    assert consistent(there, back, 0.9)[others].all()


def test_frames_that_do_not_fit_are_named() -> None:
    estimate = EstimatedFlow(DisEstimator("fast"), 0, None)
    with pytest.raises(UserError, match=r"film_000000: the frame is \(64, 96\), the one \+1 from it \(32, 96\)"):
        estimate(pair(moving_frames(1)[0], moving_frames(1, (32, 96))[0]))
    with pytest.raises(UserError, match=r"frames of \(8, 8\).* too small for dis"):
        estimate(pair(*moving_frames(2, (8, 8))))
