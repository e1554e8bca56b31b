"""Decode an image from untrusted bytes to RGB, or say in one line why not."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from train.errors import UserError

MAX_PIXELS = 64_000_000
"""Largest image decoded by default, in pixels: 192 MB as RGB. Checked from the header, before any pixel is decoded."""

# Pillow's own limit would raise before ours could say what to do.
Image.MAX_IMAGE_PIXELS = None

UPLOAD_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
"""What is decoded of a stranger's bytes: not TIFF, whose many variants go through the largest of the decoders."""

FORMATS = (*UPLOAD_FORMATS, "TIFF")

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


def decode_image(data: bytes, max_pixels: int = MAX_PIXELS, formats: tuple[str, ...] = FORMATS) -> DecodedImage:
    """Decode JPEG, PNG, WebP, BMP or TIFF to upright 8-bit RGB.

    Grey, palette, CMYK and 16-bit images are converted, EXIF rotation is applied; `DecodedImage.notes` says so.

    Raises:
        ImageTooLargeError: the header announces more than ``max_pixels`` pixels; nothing was decoded.
        UnknownFormatError: no image.
        ImageError: empty, truncated or damaged.
    """
    if not data:
        raise ImageError(f"the image is empty (0 bytes): give the bytes of a {_any_of(formats)} file")
    header = _open(data, formats)
    if header.width * header.height > max_pixels:
        raise ImageTooLargeError(
            f"the image has {header.width} x {header.height} pixels, more than the limit of {max_pixels}: "
            "give a smaller one or raise the limit"
        )
    notes: list[str] = []
    try:
        pixels = _pixels(header, data, notes)
        orientation = header.getexif().get(_EXIF_ORIENTATION_TAG, 1)
    except ImageError:
        raise
    except Exception as error:  # on damaged bytes the decoders raise nearly anything
        reason = " ".join(str(error).split())
        raise ImageError(f"the {header.format} image is truncated or damaged ({reason}): give it whole") from None
    return DecodedImage(_upright(pixels, orientation, notes), notes)


def _open(data: bytes, formats: tuple[str, ...]) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data), formats=formats)
    except Exception:  # as above
        raise UnknownFormatError(
            f"the {len(data)} bytes are no image that is read here, or not a whole one: give a {_any_of(formats)} file"
        ) from None


def _any_of(formats: tuple[str, ...]) -> str:
    return f"{', '.join(formats[:-1])} or {formats[-1]}"


def _pixels(header: Image.Image, data: bytes, notes: list[str]) -> NDArray[np.uint8]:
    mode = header.mode
    if mode == "F":
        raise ImageError("the image has floating-point pixels: give one with 8 or 16 bits a channel")
    if mode.startswith("I"):
        notes.append("converted from 16-bit greyscale")
        return _from_deep_grey(np.asarray(header))
    if _has_16_bits(header):
        notes.append("converted from 16-bit")
    if mode != "RGB":
        notes.append(f"converted from {_MODE_NAMES.get(mode, mode)}")
    if header.format in ("JPEG", "MPO") and mode in ("RGB", "L"):
        return np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True), np.uint8)
    return np.asarray(header if mode == "RGB" else header.convert("RGB"), np.uint8)


def _has_16_bits(header: Image.Image) -> bool:
    """Pillow opens deep colour as 8-bit "RGB"; only the encoding's name tells, "RGB;16B"."""
    return any(";16" in str(tile[3]) for tile in getattr(header, "tile", []))


_MODE_NAMES = {"L": "greyscale", "P": "palette", "1": "bilevel", "LA": "greyscale with alpha", "RGBA": "RGB with alpha"}


def _from_deep_grey(grey: NDArray[np.generic]) -> NDArray[np.uint8]:
    eight_bit = cv2.convertScaleAbs(np.clip(grey, 0, 65535).astype(np.uint16), alpha=1 / 257)
    return np.asarray(cv2.cvtColor(eight_bit, cv2.COLOR_GRAY2RGB), np.uint8)


def _upright(pixels: NDArray[np.uint8], orientation: int, notes: list[str]) -> NDArray[np.uint8]:
    if orientation not in _ORIENTATIONS:
        return pixels
    transpose, vertical, horizontal = _ORIENTATIONS[orientation]
    if transpose:
        pixels = pixels.transpose(1, 0, 2)
    pixels = pixels[:: -1 if vertical else 1, :: -1 if horizontal else 1]
    notes.append("turned upright by its EXIF orientation")
    return np.ascontiguousarray(pixels)
