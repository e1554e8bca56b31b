"""The PNGs that we write, read by two other programs."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from serve.answers.png import encode_png, indexed_png, truecolour_png
from serve.segmentation import AnswerOptions
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


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 40, 3), (40, 1, 3), (31, 57, 3)])
def test_pictures_are_lossless(shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    data = truecolour_png(image)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), image)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1], image)


def test_a_part_of_a_larger_array_is_written_as_it_is():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    part = image[3:17:2, 5:20]
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(truecolour_png(part)))), part)
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(indexed_png(part[..., 0], default_palette(2))))), part[..., 0]
    )


def test_a_class_map_has_the_manifests_colours(segmentation, manifest):
    body, headers = encode_png(segmentation, manifest, AnswerOptions())
    picture = Image.open(io.BytesIO(body))
    np.testing.assert_array_equal(np.asarray(picture), segmentation.ids)
    assert picture.getpalette()[:12] == [value for colour in manifest.palette for value in colour]
    assert headers == {}
