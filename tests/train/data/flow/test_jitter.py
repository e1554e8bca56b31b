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


def test_whole_pixels_are_exact() -> None:
    """A shift by whole pixels, of which the image holds 12.5 shares: every visible point is found again."""
    spec = JitterSpec(shift=0.1, zoom=0, turn=0)
    moved, flow = jitter(IMAGE, spec, Draws([3 / 96, -2 / 72]))  # type: ignore[arg-type]
    assert np.allclose(flow.displacement, [3, -2], atol=1e-5)
    assert np.array_equal(moved[:-2, 3:], IMAGE[2:, :-3])
    assert np.array_equal(flow.visible[2:, :-3], np.ones((70, 93), bool))
    assert flow.visible.sum() == 70 * 93


def test_no_motion_is_the_image_itself() -> None:
    moved, flow = jitter(IMAGE, JitterSpec(shift=0, zoom=0, turn=0), np.random.default_rng(0))
    assert np.array_equal(moved, IMAGE)
    assert not flow.displacement.any()
    assert flow.visible.all()


class Draws:
    """A generator whose first draw, the shift, is given; nothing else moves."""

    def __init__(self, shift: list[float]) -> None:
        self._shift = shift

    def uniform(self, _low: float, _high: float, size: int | None = None) -> object:
        return np.array(self._shift) if size else 0.0
