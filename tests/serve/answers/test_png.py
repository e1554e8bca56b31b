"""The palette PNG that we write, read by two other programs."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from serve.answers.png import indexed_png
from train.data.palette import default_palette


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (40, 1), (31, 57)])
def test_ids_are_the_pixel_values_at_8_bits(shape):
    ids = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = indexed_png(ids, default_palette(19))
    picture = Image.open(io.BytesIO(data))
    assert picture.mode == "P"
    assert data[24] == 8  # bits a pixel, though two colours would need fewer
    np.testing.assert_array_equal(np.asarray(picture), ids)


def test_other_readers_see_the_colours():
    palette = default_palette(19)
    ids = np.arange(19, dtype=np.uint8).repeat(3).reshape(3, 19)
    shown = cv2.imdecode(np.frombuffer(indexed_png(ids, palette), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(shown[..., ::-1], np.array(palette)[ids])


def test_ids_beyond_the_palette_are_black():
    picture = Image.open(io.BytesIO(indexed_png(np.array([[255]], np.uint8), default_palette(3))))
    assert picture.convert("RGB").getpixel((0, 0)) == (0, 0, 0)
