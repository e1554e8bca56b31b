"""Decode an image from untrusted bytes to RGB, or say in one line why not."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from train.errors import UserError

MAX_PIXELS = 64_000_000
"""Largest image decoded by default, in pixels: 192 MB as RGB. Checked from the header, before any pixel is decoded."""

# Pillow's own limit would raise before ours could say what to do.
Image.MAX_IMAGE_PIXELS = None

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")

# EXIF orientation tag value -> (transpose first, flip vertically, flip horizontally)
_ORIENTATIONS = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
_EXIF_ORIENTATION_TAG = 0x0112


class ImageError(UserError):
    """The bytes are not an image that can be decoded."""


class UnknownFormatError(ImageError):
    """The bytes are in no format that is read here."""


class ImageTooLargeError(ImageError):
    """The header announces more pixels than allowed."""


@dataclass(frozen=True)
class DecodedImage:
    """RGB pixels ``(H, W, 3)``, upright, and what had to be done to get them."""

    pixels: NDArray[np.uint8]
    notes: list[str] = field(default_factory=list)


def read_image(path: Path, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """The RGB pixels ``(H, W, 3)`` of an image file; `ImageError` names the file."""
    try:
        return decode_image(path.read_bytes(), max_pixels).pixels
    except ImageError as error:
        raise type(error)(f"{path}: {error}") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from None


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS) -> DecodedImage:
    """Decode JPEG, PNG, WebP, BMP or TIFF to upright 8-bit RGB.

    Grey, palette, CMYK and 16-bit images are converted, EXIF rotation is applied; `DecodedImage.notes` says so.

    Raises:
        ImageTooLargeError: the header announces more than ``max_pixels`` pixels; nothing was decoded.
        UnknownFormatError: no image.
        ImageError: empty, truncated or damaged.
    """
    if not data:
        raise ImageError("the image is empty (0 bytes): send the bytes of a JPEG, PNG, WebP, BMP or TIFF file")
    header = _open(data)
    if header.width * header.height > max_pixels:
        raise ImageTooLargeError(
            f"the image has {header.width} x {header.height} pixels, more than the limit of {max_pixels}: "
            "send a smaller one or raise the limit"
        )
    notes: list[str] = []
    try:
        pixels = _pixels(header, data, notes)
        orientation = header.getexif().get(_EXIF_ORIENTATION_TAG, 1)
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise ImageError(f"the {header.format} image is truncated or damaged ({error}): send it again, whole") from None
    return DecodedImage(_upright(pixels, orientation, notes), notes)


def _open(data: bytes) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=FORMATS)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):
        raise UnknownFormatError(
            f"not an image ({len(data)} bytes): send a JPEG, PNG, WebP, BMP or TIFF file"
        ) from None


def _pixels(header: Image.Image, data: bytes, notes: list[str]) -> NDArray[np.uint8]:
    mode = header.mode
    if header.format == "JPEG" and mode in ("RGB", "L"):
        if mode == "L":
            notes.append("converted from greyscale")
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True), np.uint8)
    if mode.startswith(("I", "F")):
        notes.append("converted from 16-bit")
        return _from_deep_grey(np.asarray(header))
    if mode != "RGB":
        notes.append(f"converted from {_MODE_NAMES.get(mode, mode)}")
    return np.asarray(header.convert("RGB"), np.uint8)


_MODE_NAMES = {"L": "greyscale", "P": "palette", "1": "bilevel", "LA": "greyscale with alpha", "RGBA": "RGB with alpha"}


def _from_deep_grey(grey: NDArray[np.generic]) -> NDArray[np.uint8]:
    eight_bit = (np.clip(grey.astype(np.float64), 0, 65535) / 257 + 0.5).astype(np.uint8)
    return np.repeat(eight_bit[..., None], 3, axis=2)


def _upright(pixels: NDArray[np.uint8], orientation: int, notes: list[str]) -> NDArray[np.uint8]:
    if orientation not in _ORIENTATIONS:
        return pixels
    transpose, vertical, horizontal = _ORIENTATIONS[orientation]
    if transpose:
        pixels = pixels.transpose(1, 0, 2)
    pixels = pixels[:: -1 if vertical else 1, :: -1 if horizontal else 1]
    notes.append("turned upright by its EXIF orientation")
    return np.ascontiguousarray(pixels)
