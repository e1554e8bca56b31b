"""Untrusted bytes become upright 8-bit RGB, or one line that says why not."""

import contextlib
import io
import struct
import time
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from train.data.image import (
    UPLOAD_FORMATS,
    ImageError,
    ImageTooLargeError,
    UnknownFormatError,
    decode_image,
    read_image,
)


@pytest.fixture
def pixels() -> np.ndarray:
    """RGB blocks that survive JPEG."""
    blocks = np.random.default_rng(0).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return blocks.repeat(16, 0).repeat(16, 1)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and has no pixels."""
    fields = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + fields
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(fields)) + chunk + struct.pack(">I", zlib.crc32(chunk)) + end


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_give_the_exact_pixels(pixels, kind):
    decoded = decode_image(encode(Image.fromarray(pixels), kind))
    np.testing.assert_array_equal(decoded.pixels, pixels)
    assert decoded.notes == []


@pytest.mark.parametrize(
    ("kind", "options"), [("JPEG", {"subsampling": 0}), ("MPO", {"subsampling": 0}), ("WEBP", {"lossless": True})]
)
def test_other_formats_give_the_pixels(pixels, kind, options):
    decoded = decode_image(encode(Image.fromarray(pixels), kind, quality=100, **options))
    np.testing.assert_allclose(decoded.pixels.astype(int), pixels, atol=4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_greyscale_becomes_three_equal_channels(pixels, kind):
    grey = Image.fromarray(pixels).convert("L")
    decoded = decode_image(encode(grey, kind))
    assert decoded.notes == ["converted from greyscale"]
    np.testing.assert_allclose(decoded.pixels.astype(int), np.asarray(grey, int)[..., None].repeat(3, 2), atol=4)


def test_cmyk_is_converted(pixels):
    decoded = decode_image(encode(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=100))
    assert decoded.notes == ["converted from CMYK"]
    np.testing.assert_allclose(decoded.pixels.astype(int), pixels, atol=4)


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bit_is_rounded_to_8(pixels, channels):
    deep = pixels[..., :channels].astype(np.uint16) * 257
    decoded = decode_image(cv2.imencode(".png", deep[..., ::-1])[1].tobytes())
    assert decoded.notes == ["converted from 16-bit" if channels == 3 else "converted from 16-bit greyscale"]
    np.testing.assert_array_equal(decoded.pixels, pixels[..., :channels].repeat(3 // channels, 2))


def test_alpha_and_palettes_are_noted(pixels):
    image = Image.fromarray(pixels)
    assert decode_image(encode(image.convert("RGBA"), "PNG")).notes == ["converted from RGB with alpha"]
    assert decode_image(encode(image.convert("P"), "PNG")).notes == ["converted from palette"]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_once(pixels, kind, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(pixels), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"), int)
    decoded = decode_image(data)
    assert decoded.pixels.shape == upright.shape
    np.testing.assert_allclose(decoded.pixels.astype(int), upright, atol=40)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_a_truncated_image_is_refused(kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = encode(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match=r"truncated or damaged|not a whole one"):
        decode_image(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("data", [b"GIF89a", b"<html></html>", b"\x00" * 100, b"\xff\xd8\xff"])
def test_other_bytes_are_no_image(data):
    with pytest.raises(UnknownFormatError, match="no image"):
        decode_image(data)


def test_nothing_is_no_image():
    with pytest.raises(ImageError, match="empty"):
        decode_image(b"")


def test_too_many_pixels_are_refused_before_decoding():
    start = time.perf_counter()
    with pytest.raises(ImageTooLargeError, match="30000 x 30000"):
        decode_image(png_header(30_000, 30_000))
    assert time.perf_counter() - start < 0.1


def test_the_limit_itself_is_allowed(pixels):
    data = encode(Image.fromarray(pixels), "PNG")
    decode_image(data, max_pixels=48 * 64)
    with pytest.raises(ImageTooLargeError):
        decode_image(data, max_pixels=48 * 64 - 1)


@pytest.mark.parametrize("size", [(0, 0), (0, 10), (10, 0)])
def test_an_image_without_pixels_is_refused(size):
    with pytest.raises(ImageError):
        decode_image(png_header(*size))


def test_floating_point_is_refused_not_blackened():
    with pytest.raises(ImageError, match="floating-point"):
        decode_image(encode(Image.new("F", (4, 4), 0.5), "TIFF"))


def test_uploads_take_no_tiff(pixels):
    with pytest.raises(UnknownFormatError, match="JPEG, PNG, WEBP or BMP"):
        decode_image(encode(Image.fromarray(pixels), "TIFF"), formats=UPLOAD_FORMATS)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_damaged_bytes_raise_nothing_else(pixels, kind):
    random = np.random.default_rng(0)
    whole = encode(Image.fromarray(pixels), kind)
    for _ in range(150):
        data = bytearray(whole)
        for position in random.integers(0, len(data), 4):
            data[position] = random.integers(256)
        with contextlib.suppress(ImageError):
            assert decode_image(bytes(data), max_pixels=10**6).pixels.shape[2] == 3


def test_an_unreadable_file_is_named(tmp_path):
    broken = tmp_path / "street.png"
    broken.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"street\.png"):
        read_image(broken)
    with pytest.raises(ImageError, match=r"absent\.png: cannot be read: No such file"):
        read_image(tmp_path / "absent.png")
