"""Colours of class ids."""

import numpy as np

from train.data.palette import IGNORE_INDEX, colorize, default_palette, overlay

PALETTE = [(255, 0, 0), (0, 255, 0)]
IDS = np.array([[0, 1, IGNORE_INDEX]], np.uint8)


def test_the_default_palette_is_voc_without_black():
    assert default_palette(4) == [(128, 0, 0), (0, 128, 0), (128, 128, 0), (0, 0, 128)]


def test_a_default_palette_has_no_colour_twice():
    assert len({*default_palette(255), (0, 0, 0)}) == 256


def test_ids_get_their_colours_and_ignore_is_black():
    assert colorize(IDS, PALETTE).tolist() == [[[255, 0, 0], [0, 255, 0], [0, 0, 0]]]


def test_an_overlay_blends_classes_and_keeps_ignored_pixels():
    image = np.full((1, 3, 3), 100, np.uint8)
    blended = overlay(image, IDS, PALETTE, alpha=0.25)
    np.testing.assert_allclose(blended[0, :2], [[139, 75, 75], [75, 139, 75]], atol=1)
    assert blended[0, 2].tolist() == [100, 100, 100]


def test_alpha_runs_from_the_image_to_the_colours():
    image = np.random.default_rng(0).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    ids = np.random.default_rng(1).integers(0, 2, (4, 5), dtype=np.uint8)
    np.testing.assert_array_equal(overlay(image, ids, PALETTE, alpha=0), image)
    np.testing.assert_array_equal(overlay(image, ids, PALETTE, alpha=1), colorize(ids, PALETTE))
