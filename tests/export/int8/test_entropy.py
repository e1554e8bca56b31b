"""A range is cut off where the information lost beyond it is less than what finer steps keep."""

import numpy as np
import pytest
from numpy.typing import NDArray

from export.int8.entropy import entropy_cut

BINS = 1024


def histogram(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.histogram(np.abs(values), BINS, range=(0.0, np.abs(values).max()))[0]


def test_values_of_equal_frequency_keep_their_range() -> None:
    assert entropy_cut(histogram(np.random.default_rng(0).uniform(-1, 1, 200_000))) > 0.95 * BINS


def test_a_far_outlier_is_cut_off() -> None:
    values = np.append(np.random.default_rng(0).normal(0, 1, 200_000), 50.0)
    kept = entropy_cut(histogram(values)) * 50.0 / BINS
    assert 3.0 < kept < 10.0


@pytest.mark.parametrize("zeros", [0, 10_000_000])
def test_zeros_do_not_matter(zeros: int) -> None:
    counts = histogram(np.random.default_rng(0).normal(0, 1, 200_000))
    without = entropy_cut(counts)
    counts[0] += zeros
    assert entropy_cut(counts) == without


def test_a_tensor_of_zeros_keeps_its_range() -> None:
    counts = np.zeros(BINS, np.int64)
    counts[0] = 100
    assert entropy_cut(counts) == BINS
