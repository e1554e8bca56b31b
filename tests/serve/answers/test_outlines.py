"""Outlines have the area of their pixels, touch themselves nowhere, and give the class map back."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from serve.answers import outlines
from serve.answers.outlines import Region, regions
from train.errors import UserError

MAPS = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2))


def area(ring: np.ndarray) -> float:
    x, y = ring.T.astype(int)
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2


def inside(rings: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """The pixels inside by the even-odd rule: those with an odd number of vertical lines to their left."""
    crossings = np.zeros((shape[0], shape[1] + 1), int)
    for ring in rings:
        for (x, y), (other_x, other_y) in zip(ring, np.roll(ring, -1, 0), strict=True):
            assert (x == other_x) != (y == other_y)
            if x == other_x:
                crossings[min(y, other_y) : max(y, other_y), x] += 1
    return crossings.cumsum(axis=1)[:, :-1] % 2 == 1


def drawn(found: list[Region], shape: tuple[int, int]) -> np.ndarray:
    ids = np.full(shape, 255, np.uint8)
    for region in found:
        pixels = inside(region.rings, shape)
        assert (ids[pixels] == 255).all()
        assert pixels.sum() == region.pixels
        ids[pixels] = region.id
    return ids


@settings(deadline=None, max_examples=300)
@given(MAPS)
def test_the_outlines_give_the_class_map_back(ids):
    found = regions(ids, 3)
    np.testing.assert_array_equal(drawn(found, ids.shape), ids)
    for region in found:
        exterior, *holes = region.rings
        assert area(exterior) > 0
        assert all(area(hole) < 0 for hole in holes)
        assert sum(map(area, region.rings)) == region.pixels
        for ring in region.rings:
            assert len(np.unique(ring, axis=0)) == len(ring) >= 4


@settings(deadline=None)
@given(MAPS)
def test_a_region_is_what_hangs_together_by_sides(ids):
    found = regions(ids, 3)
    for index in range(3):
        count = cv2.connectedComponents((ids == index).astype(np.uint8), connectivity=4)[0] - 1
        assert sum(region.id == index for region in found) == count


@settings(deadline=None)
@given(MAPS)
def test_ids_that_are_no_class_have_no_outline(ids):
    ids[ids == 1] = 255
    np.testing.assert_array_equal(drawn(regions(ids, 2), ids.shape), np.where(ids == 2, 255, ids))


def test_one_pixel_is_a_square_between_its_corners():
    ids = np.full((3, 4), 255, np.uint8)
    ids[1, 2] = 0
    (region,) = regions(ids, 1)
    assert region.rings[0].tolist() == [[2, 1], [3, 1], [3, 2], [2, 2]]


def test_a_hole_belongs_to_the_region_around_it():
    ids = np.zeros((9, 11), np.uint8)
    ids[1:8, 1:10] = 1
    ids[2:4, 2:4] = 0
    ids[5:7, 6:9] = 0
    ids[3, 3] = 1
    outer, ring, *_ = regions(ids, 2)
    assert (outer.id, len(outer.rings), ring.id, len(ring.rings)) == (0, 2, 1, 3)


def test_too_many_corners_are_refused_before_they_are_traced(monkeypatch):
    monkeypatch.setattr(outlines, "MAX_CORNERS", 100)
    noise = np.random.default_rng(0).integers(0, 19, (30, 30), np.uint8)
    with pytest.raises(UserError, match="the limit is 100: accept image/png"):
        regions(noise, 19)
    assert regions(np.zeros((30, 30), np.uint8), 19)
