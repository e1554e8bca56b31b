"""What clients send by mistake or by malice: the right status and one line, never a 500."""

import asyncio
import io
import struct
import time
import zlib
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest
from PIL import Image

from serve.app import create_app
from serve.metrics import Metrics
from serve.service import Service
from serve.settings import Settings

FORM = "multipart/form-data; boundary=xyz"


def assert_error(answer: httpx.Response, status: int, text: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert text in problem["detail"]
    assert "\n" not in problem["detail"]


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and has no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + end


@pytest.fixture(params=["raw", "form"])
def post(server, request):
    """Posts bytes both ways."""

    def send(data: bytes, **options):
        body = {"content": data} if request.param == "raw" else {"files": {"image": ("street", data)}}
        return server.client.post("/segment", **body, **options)

    return send


def test_truncated(post, image, encode):
    for kind in ("PNG", "JPEG"):
        data = encode(image, kind)
        assert_error(post(data[: len(data) // 2]), 422, f"the {kind} image is truncated or damaged")


def test_zero_bytes(post):
    assert_error(post(b""), 400, "empty (0 bytes)")


@pytest.mark.parametrize("data", [b"hello", b"\x00" * 5000, b"%PDF-1.7", b'{"image": "street.png"}', b"II*\x00" * 9])
def test_no_image(post, data):
    assert_error(post(data), 415, "give a JPEG, PNG, WEBP or BMP file")


def test_900_megapixels_are_refused_at_once(post):
    start = time.perf_counter()
    assert_error(post(png_header(30_000, 30_000)), 413, "30000 x 30000")
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("mode", "kind", "note"),
    [
        ("L", "JPEG", "converted from greyscale"),
        ("CMYK", "JPEG", "converted from CMYK"),
        ("RGBA", "PNG", "converted from RGB with alpha"),
        ("I;16", "PNG", "converted from 16-bit greyscale"),
    ],
)
def test_other_colour_modes_are_converted_and_noted(post, image, encode, mode, kind, note):
    if mode == "I;16":
        data = encode(image[..., 0].astype(np.uint16) * 257)
    else:
        data = encode(np.asarray(Image.fromarray(image).convert(mode)), kind, mode)
    answer = post(data, headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert answer.json()["notes"] == [note]
    assert answer.headers["segdistill-notes"] == note


def test_exif_rotation_gives_the_upright_class_map(post):
    upright = np.zeros((64, 48, 3), np.uint8)
    upright[:20, :, 0] = upright[20:, :, 1] = upright[:, 40:, 2] = 200
    upright[:, 40:, :2] = 0
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: turn clockwise to view
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(file, "PNG", exif=exif)
    answer = post(file.getvalue())
    assert answer.headers["segdistill-notes"] == "turned upright by its EXIF orientation"
    ids = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert ids.shape == (64, 48)
    assert (ids[:18, :39] == 0).all()
    assert (ids[22:, :39] == 1).all()
    assert (ids[:, 41:] == 2).all()


def test_a_wrong_field_name(server, image, encode):
    answer = server.client.post("/segment", files={"file": encode(image)})
    assert_error(answer, 422, "no file 'image' (its fields: 'file')")


def test_a_text_field_instead_of_a_file(server):
    answer = server.client.post("/segment", files={"image": (None, "street.png")})
    assert_error(answer, 422, "no file 'image'")


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("multipart/form-data", b"x", "boundary"),
        (FORM, b"no form at all", "damaged"),
        (FORM, b'--xyz\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n123', "last boundary"),
    ],
)
def test_a_damaged_form(server, content_type, body, text):
    answer = server.client.post("/segment", content=body, headers={"Content-Type": content_type})
    assert_error(answer, 400, text)


def test_too_many_images(small_server, image, encode):
    three = [("image", ("a.png", encode(image[:8, :8])))] * 3
    assert_error(small_server.client.post("/segment", files=three), 413, "3 images, the limit is 2")


def test_a_wrong_parameter(server, image, encode):
    answer = server.client.post("/segment?overlay=maybe", content=encode(image))
    assert_error(answer, 422, "overlay")


def test_a_wrong_method_and_a_wrong_path(server):
    answer = server.client.get("/segment")
    assert_error(answer, 405, "use POST")
    assert answer.headers["allow"] == "POST"
    assert_error(server.client.get("/segments"), 404, "no such path")


def test_a_body_too_large_is_refused_by_its_announced_length(small_server):
    assert_error(small_server.client.post("/segment", content=bytes(20_001)), 413, "20001 bytes, the limit is 20000")


@pytest.mark.parametrize("content_type", ["image/png", FORM])
def test_a_body_too_large_is_cut_off_while_it_streams(small_server, slow_post, content_type):
    part = b'--xyz\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    with slow_post(small_server, announced=None, content_type=content_type) as upload:
        upload.send(part)
        upload.send(bytes(20_001))
        assert_error(upload.answer(), 413, "more than 20000 bytes")  # though the body has not ended


def test_a_body_that_does_not_arrive_times_out(bundle):
    service = Service({"only": bundle}, Settings(upload_timeout_s=0.05), Metrics())

    async def stalling() -> AsyncIterator[bytes]:
        yield b"half of an image"
        await asyncio.sleep(60)

    async def post() -> httpx.Response:
        await service.warm_up()
        transport = httpx.ASGITransport(create_app(service))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/segment", content=stalling())

    assert_error(asyncio.run(post()), 408, "did not arrive within 0.05 s")
    service.close()


def test_the_pixel_limit_is_an_option(small_server, encode):
    answer = small_server.client.post("/segment", content=encode(np.zeros((101, 100, 3), np.uint8)))
    assert_error(answer, 413, "100 x 101 pixels, more than the limit of 10000")
