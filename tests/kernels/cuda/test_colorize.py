"""Colours and overlays, byte by byte those of train.data.palette."""

from pathlib import Path

import numpy as np
import pytest

from tests.kernels.cuda.on_cpu.kernels import Run
from train.data import palette as reference

PALETTE = reference.default_palette(19)


def words(palette: list[reference.Colour]) -> np.ndarray:
    return np.array([red | green << 8 | blue << 16 for red, green, blue in palette], np.uint32)


def colorize(run: Run, ids: np.ndarray, palette: list[reference.Colour]) -> np.ndarray:
    rgb = np.full((*ids.shape, 3), 99, np.uint8)
    run("colorize", ids, words(palette), len(palette), rgb, np.int64(ids.size), width=ids.size)
    return rgb


def overlay(run: Run, image: np.ndarray, ids: np.ndarray, palette: list[reference.Colour], alpha: float) -> np.ndarray:
    rgb = np.full((*ids.shape, 3), 99, np.uint8)
    weights = (1 - alpha, alpha)
    run("overlay", ids, words(palette), len(palette), image, rgb, np.int64(ids.size), *weights, width=ids.size)
    return rgb


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (2, 2), (33, 47), (32, 64)])
@pytest.mark.parametrize("colours", [1, 19, 255, 256])
def test_ids_get_their_colours_and_others_are_black(run, size, colours):
    ids = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    palette = [*reference.default_palette(255), (1, 2, 3)][:colours]
    np.testing.assert_array_equal(colorize(run, ids, palette), reference.colorize(ids, palette))


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.25, 0.3, 1 / 3, 0.5, 0.7, 0.999, 1.0])
def test_every_pair_of_image_and_colour_blends_as_opencv_blends_it(run, alpha):
    greys = [(value, 255 - value, value) for value in range(256)]
    ids, shade = np.meshgrid(np.arange(256, dtype=np.uint8), np.arange(256, dtype=np.uint8))
    image = np.ascontiguousarray(np.repeat(shade[..., None], 3, axis=2))
    np.testing.assert_array_equal(
        overlay(run, image, np.ascontiguousarray(ids), greys, alpha), reference.overlay(image, ids, greys, alpha)
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 3), (33, 47), (32, 64)])
def test_pixels_without_a_colour_keep_the_image(run, size):
    random = np.random.default_rng(0)
    ids = random.integers(0, 256, size, dtype=np.uint8)
    image = random.integers(0, 256, (*size, 3), dtype=np.uint8)
    blended = overlay(run, image, ids, PALETTE, 0.5)
    np.testing.assert_array_equal(blended, reference.overlay(image, ids, PALETTE, 0.5))
    np.testing.assert_array_equal(blended[ids >= 19], image[ids >= 19])


def test_nothing_is_written_behind_the_last_pixel(run):
    rgb = np.full(3 * 8, 77, np.uint8)
    run("colorize", np.zeros(8, np.uint8), words(PALETTE), 19, rgb, np.int64(5), width=5)
    np.testing.assert_array_equal(rgb[15:], 77)
    np.testing.assert_array_equal(rgb[:15].reshape(5, 3), [PALETTE[0]] * 5)


def test_offsets_pass_two_gigabytes(run, tmp_path: Path):
    pixels = 2**31 + 1023  # on sparse files, of which only the last block is run
    ids = np.memmap(tmp_path / "ids", np.uint8, "w+", shape=pixels)
    rgb = np.memmap(tmp_path / "rgb", np.uint8, "w+", shape=(pixels, 3))
    ids[-1023:] = np.arange(1023) % 19
    run("colorize", ids, words(PALETTE), 19, rgb, np.int64(pixels), width=pixels, only_last_block=True)
    np.testing.assert_array_equal(rgb[-1023:], reference.colorize(ids[-1023:][None], PALETTE)[0])
    assert not rgb[-1024].any()
