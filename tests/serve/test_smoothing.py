"""A stream's class maps: what flickers is held, what lasts is shown."""

import numpy as np
import pytest

from serve.smoothing import Smoothing


def shown(strength: float, meant: list[int]) -> list[int]:
    """Of one pixel, frame by frame."""
    smoothing = Smoothing(strength)
    return [int(smoothing(np.full((2, 2), ids, np.uint8))[0, 0]) for ids in meant]


def test_without_strength_every_change_is_shown() -> None:
    assert shown(0, [1, 2, 1, 3]) == [1, 2, 1, 3]


@pytest.mark.parametrize(("strength", "frames"), [(0.5, 2), (0.7, 2), (0.8, 4), (0.9, 7)])
def test_a_change_that_lasts_is_shown(strength: float, frames: int) -> None:
    assert shown(strength, [1] + [2] * (frames + 2)) == [1] * frames + [2] * 3


@pytest.mark.parametrize("strength", [0.7, 0.9])
def test_what_flickers_keeps_its_class(strength: float) -> None:
    assert shown(strength, [1, 1, 2, 1, 1, 3, 1, 1, 2, 1]) == [1] * 10


def test_each_pixel_is_for_itself_and_maps_that_were_given_do_not_change() -> None:
    smoothing = Smoothing(0.5)
    first = np.array([[0, 0], [5, 5]], np.uint8)
    before = smoothing(first)
    second = np.array([[0, 7], [5, 7]], np.uint8)
    np.testing.assert_array_equal(smoothing(second), first)
    np.testing.assert_array_equal(smoothing(second), second)
    np.testing.assert_array_equal(before, first)


def test_another_size_begins_anew() -> None:
    smoothing = Smoothing(0.9)
    smoothing(np.zeros((2, 2), np.uint8))
    assert smoothing(np.full((4, 2), 3, np.uint8)).tolist() == [[3, 3]] * 4
