"""Run lengths give the class map back."""

import numpy as np
import pytest

from serve.answers.runs import run_lengths


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (7, 11)])
def test_runs_repeat_to_the_map(shape):
    ids = np.random.default_rng(0).integers(0, 3, shape, dtype=np.uint8)
    values, lengths = run_lengths(ids)
    np.testing.assert_array_equal(np.repeat(values, lengths).reshape(shape), ids)


def test_runs_are_maximal_and_go_on_over_rows():
    assert run_lengths(np.array([[1, 1, 2], [2, 2, 2]], np.uint8)) == ([1, 2], [2, 4])
