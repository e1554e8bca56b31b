"""Overlays show the classes' colours over the image, whatever wrote them."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from serve.answers.media import OVERLAY_ENCODERS
from serve.segmentation import AnswerOptions
from train.data.palette import overlay
from train.errors import UserError

OPTIONS = AnswerOptions(overlay=True)


@pytest.mark.parametrize(("media_type", "error"), [("image/png", 0), ("image/jpeg", 6), ("image/webp", 12)])
def test_an_overlay_is_the_blend_of_image_and_colours(segmentation, manifest, media_type, error):
    smooth = replace(segmentation, image=np.full_like(segmentation.image, 90))
    body, headers = OVERLAY_ENCODERS[media_type](smooth, manifest, OPTIONS)
    picture = Image.open(io.BytesIO(body))
    assert Image.MIME[picture.format] == media_type
    shown = np.asarray(picture.convert("RGB")).astype(int)
    expected = overlay(smooth.image, smooth.ids, manifest.palette)
    assert np.abs(shown - expected).mean() <= error
    assert np.abs(shown[5, 80] - expected[5, 80]).max() <= 2 * error
    assert headers == {}


@pytest.mark.parametrize(("media_type", "longest"), [("image/jpeg", 65_500), ("image/webp", 16_383)])
def test_an_image_too_long_for_the_format_says_so(segmentation, manifest, media_type, longest):
    def line(width: int):
        image, ids = np.zeros((1, width, 3), np.uint8), np.zeros((1, width), np.uint8)
        return replace(segmentation, image=image, ids=ids)

    encode = OVERLAY_ENCODERS[media_type]
    assert Image.open(io.BytesIO(encode(line(longest), manifest, OPTIONS)[0])).size == (longest, 1)
    with pytest.raises(UserError, match="accept image/png"):
        encode(line(longest + 1), manifest, OPTIONS)
    assert OVERLAY_ENCODERS["image/png"](line(longest + 1), manifest, OPTIONS)
