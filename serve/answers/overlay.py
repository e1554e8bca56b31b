"""The classes' colours over the image: PNG, JPEG, WebP."""

import io

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from export.manifest import Manifest
from serve.answers.png import truecolour_png
from serve.segmentation import AnswerOptions, Segmentation
from train.data.palette import overlay
from train.errors import UserError

JPEG_QUALITY = 90
WEBP_QUALITY = 85

_JPEG_MAX_SIDE = 65500  # libjpeg's, in pixels
_WEBP_MAX_SIDE = 16383  # of the format, in pixels
_FASTEST = 0  # of WebP's methods 0 to 6: a third of the time of OpenCV's 4, for 30 % more bytes


def encode_overlay_png(
    segmentation: Segmentation, manifest: Manifest, _: AnswerOptions
) -> tuple[bytes, dict[str, str]]:
    """Lossless."""
    return truecolour_png(_overlay(segmentation, manifest)), {}


def encode_overlay_jpeg(
    segmentation: Segmentation, manifest: Manifest, _: AnswerOptions
) -> tuple[bytes, dict[str, str]]:
    """JPEG without chroma subsampling: the classes' borders stay sharp.

    Raises:
        UserError: a side is longer than JPEG's.
    """
    _check(segmentation, "JPEG", _JPEG_MAX_SIDE)
    blended = _overlay(segmentation, manifest)
    return bytes(simplejpeg.encode_jpeg(blended, JPEG_QUALITY, colorspace="RGB", colorsubsampling="444")), {}


def encode_overlay_webp(
    segmentation: Segmentation, manifest: Manifest, _: AnswerOptions
) -> tuple[bytes, dict[str, str]]:
    """Lossy WebP.

    Raises:
        UserError: a side is longer than WebP's.
    """
    _check(segmentation, "WebP", _WEBP_MAX_SIDE)
    file = io.BytesIO()
    Image.fromarray(_overlay(segmentation, manifest)).save(file, "WEBP", quality=WEBP_QUALITY, method=_FASTEST)
    return file.getvalue(), {}


def _overlay(segmentation: Segmentation, manifest: Manifest) -> NDArray[np.uint8]:
    return overlay(segmentation.image, segmentation.ids, manifest.palette)


def _check(segmentation: Segmentation, kind: str, max_side: int) -> None:
    height, width = segmentation.ids.shape
    if max(height, width) > max_side:
        raise UserError(f"an overlay of {width} x {height} pixels does not fit into a {kind}: accept image/png")
