import cv2
import numpy as np
import pytest

from tests.train.data.moving_clips import moving_frames
from train.data.flow.field import warp
from train.data.flow.jitter import jitter
from train.data.spec import JitterSpec

IMAGE = moving_frames(1, (72, 96))[0]


@pytest.mark.parametrize("seed", range(4))
def test_the_flow_leads_from_the_image_to_the_moved_one(seed: int) -> None:
    moved, flow = jitter(IMAGE, JitterSpec(shift=0.08, zoom=0.05, turn=3), np.random.default_rng(seed))
    smooth = cv2.GaussianBlur(moved, (0, 0), 1).astype(np.float32)  # of what the interpolation adds, nothing is left
    error = np.abs(warp(smooth, flow.displacement) - cv2.GaussianBlur(IMAGE, (0, 0), 1))[flow.visible]
    unmoved = np.abs(smooth - cv2.GaussianBlur(IMAGE, (0, 0), 1))[flow.visible]
    assert flow.visible.mean() > 0.7
    assert error.mean() < 2 < 0.3 * unmoved.mean()


def test_the_motion_is_what_was_asked_for() -> None:
    rng = np.random.default_rng(0)
    shifts = [jitter(IMAGE, JitterSpec(shift=0.1, zoom=0, turn=0), rng)[1].displacement for _ in range(20)]
    assert all(np.ptp(shift, axis=(0, 1)).max() < 1e-4 for shift in shifts)  # the same for every pixel
    largest = np.abs([shift[0, 0] for shift in shifts]).max(axis=0)
    assert (largest <= (9.6, 7.2)).all()
    assert (largest > (6, 4)).all()
    _, zoomed = jitter(IMAGE, JitterSpec(shift=0, zoom=0.1, turn=0), rng)
    left, right = zoomed.displacement[36, [0, 95], 0]
    assert left == pytest.approx(-right, abs=1e-3)  # about the centre
    assert 0 < abs(left) <= 0.1 * 47.5
    _, turned = jitter(IMAGE, JitterSpec(shift=0, zoom=0, turn=3), rng)
    assert np.hypot(*turned.displacement[36, 48]) < 0.05
    assert 0 < abs(turned.displacement[36, 0, 1]) <= 47.5 * np.sin(np.radians(3)) + 0.05


def test_no_motion_is_the_image_itself() -> None:
    moved, flow = jitter(IMAGE, JitterSpec(shift=0, zoom=0, turn=0), np.random.default_rng(0))
    assert np.array_equal(moved, IMAGE)
    assert not flow.displacement.any()
    assert flow.visible.all()
