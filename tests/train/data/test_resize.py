"""The one resize: sizes, averages, and ids that stay ids."""

import numpy as np
import pytest

from train.data.resize import resize_ids, resize_image


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 20, 3), dtype=np.uint8)


def test_the_same_size_is_the_same_image(image):
    np.testing.assert_array_equal(resize_image(image, (12, 20)), image)


def test_shrinking_averages_areas(image):
    averages = image.reshape(6, 2, 10, 2, 3).mean((1, 3))
    np.testing.assert_allclose(resize_image(image, (6, 10)), averages, atol=0.5)


def test_growing_is_bilinear_about_pixel_centres():
    image = np.array([[[0] * 3, [100] * 3]], np.uint8)
    np.testing.assert_allclose(resize_image(image, (1, 4))[0, :, 0], [0, 25, 75, 100], atol=1)


@pytest.mark.parametrize("size", [(5, 7), (30, 50), (1, 1), (40, 3)])
def test_ids_come_from_the_nearest_centre(size):
    ids = np.random.default_rng(0).integers(0, 200, (13, 21), dtype=np.uint8)  # odd: no centre falls between two
    rows, columns = (
        np.floor((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, ids.shape, strict=True)
    )
    np.testing.assert_array_equal(resize_ids(ids, size), ids[rows][:, columns])
