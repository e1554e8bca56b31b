"""The running maximum in strips is upsampling, then argmax."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.engines.class_map import class_map


def upsampled(plane: np.ndarray, scale: int) -> np.ndarray:
    """Bilinear with aligned pixel centres, in double precision."""
    for axis in (0, 1):
        length = plane.shape[axis]
        place = np.clip((np.arange(scale * length) + 0.5) / scale - 0.5, 0, length - 1)
        low = np.floor(place).astype(int)
        share = np.expand_dims(place - low, 1 - axis)
        plane = plane.take(low, axis) * (1 - share) + plane.take(np.minimum(low + 1, length - 1), axis) * share
    return plane


@settings(deadline=None, max_examples=60)
@given(
    classes=st.integers(1, 20),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    scale=st.sampled_from([1, 2, 4, 8, 16]),
    seed=st.integers(0, 99),
)
def test_it_is_the_argmax_of_the_upsampled_logits(classes, height, width, scale, seed):
    logits = np.random.default_rng(seed).standard_normal((classes, height, width)).astype(np.float32)
    ids = class_map(logits, scale)
    large = np.stack([upsampled(plane.astype(np.float64), scale) for plane in logits])
    chosen = np.take_along_axis(large, ids[None].astype(int), 0)[0]
    assert ids.shape == (scale * height, scale * width)
    assert (large.max(0) - chosen).max() < 1e-5  # it may only miss by rounding


@pytest.mark.parametrize(("height", "width", "scale"), [(128, 256, 8), (90, 17, 4), (3, 2000, 16)])
def test_strips_leave_no_seam(height, width, scale):
    logits = np.random.default_rng(0).standard_normal((3, height, width)).astype(np.float32)
    large = np.stack([upsampled(plane.astype(np.float64), scale) for plane in logits])
    np.testing.assert_array_equal(class_map(logits, scale), large.argmax(0))


def test_of_equal_logits_the_first_class_wins():
    assert (class_map(np.zeros((5, 4, 4), np.float32), 4) == 0).all()


def test_the_256th_class_can_win():
    logits = np.zeros((256, 2, 2), np.float32)
    logits[255] = 1
    assert (class_map(logits, 8) == 255).all()
