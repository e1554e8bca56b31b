"""A stream's class maps: what flickers is held where the picture stays, and nowhere else."""

import numpy as np
import pytest

from serve.engines.class_map import class_map
from serve.smoothing import Smoothing

STILL = np.full((8, 8, 3), 100, np.uint8)


def shown(strength: float, meant: list[int]) -> list[int]:
    """Of one pixel of a picture that stays, frame by frame."""
    smoothing = Smoothing(strength)
    return [int(smoothing.of_ids(np.full((8, 8), ids, np.uint8), STILL)[0, 0]) for ids in meant]


@pytest.mark.parametrize(("strength", "frames"), [(0.1, 2), (0.5, 2), (1.0, 7)])
def test_a_change_that_lasts_is_shown(strength: float, frames: int) -> None:
    assert shown(strength, [1] + [2] * (frames + 2)) == [1] * frames + [2] * 3


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_what_flickers_keeps_its_class(strength: float) -> None:
    assert shown(strength, [1, 1, 2, 1, 1, 3, 1, 1, 2, 1]) == [1] * 10


def test_where_the_picture_changes_the_past_does_not_count() -> None:
    moved = STILL.copy()
    moved[:, 5:] = 200
    ids, others = np.zeros((8, 8), np.uint8), np.ones((8, 8), np.uint8)
    smoothing = Smoothing(1.0)
    smoothing.of_ids(ids, STILL)
    after = smoothing.of_ids(others, moved)
    assert after[:, 5:].all()
    assert not after[:, :4].any()


def test_maps_that_were_given_do_not_change() -> None:
    smoothing = Smoothing(0.5)
    first, second = np.zeros((8, 8), np.uint8), np.full((8, 8), 7, np.uint8)
    given = [smoothing.of_ids(ids, STILL) for ids in (first, second, second)]
    assert [int(ids[0, 0]) for ids in given] == [0, 0, 7]


def test_another_size_begins_anew() -> None:
    smoothing = Smoothing(1.0)
    smoothing.of_ids(np.zeros((8, 8), np.uint8), STILL)
    assert smoothing.of_ids(np.full((4, 4), 3, np.uint8), STILL[:4, :4]).tolist() == [[3] * 4] * 4


def test_logits_are_their_running_mean() -> None:
    random = np.random.default_rng(0)
    frames = random.normal(size=(5, 3, 2, 2)).astype(np.float32)
    smoothing, mean = Smoothing(0.5), frames[0]
    for logits in frames:
        mean = 0.45 * mean + 0.55 * logits
        np.testing.assert_array_equal(smoothing.of_logits(logits, STILL), class_map(mean, 4))


def test_logits_of_a_new_scene_are_its_own() -> None:
    random = np.random.default_rng(0)
    before, now = random.normal(size=(2, 3, 2, 2)).astype(np.float32)
    smoothing = Smoothing(1.0)
    smoothing.of_logits(before, STILL)
    np.testing.assert_array_equal(smoothing.of_logits(now, np.full_like(STILL, 200)), class_map(now, 4))
