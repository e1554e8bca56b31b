"""POST /segment on a real server: every form of the answer holds the right class map."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools.mask import decode

from serve.timing import STAGES, parse_server_timing
from train.data.palette import overlay
from train.data.resize import resize_ids, resize_image

PALETTE = [(128, 0, 0), (0, 128, 0), (0, 0, 128)]


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_png_pixel_values_are_the_class_ids(server, image, encode):
    answer = server.client.post("/segment", content=encode(image))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.mode == "P"
    np.testing.assert_array_equal(np.asarray(picture), image.argmax(-1))
    np.testing.assert_array_equal(np.asarray(picture.convert("RGB")), np.array(PALETTE)[image.argmax(-1)])


@pytest.mark.parametrize("shape", [(100, 133), (17, 300), (1, 1)])
def test_the_answer_has_the_images_own_size(server, shape, encode):
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    answer = server.client.post("/segment", content=encode(image))
    ids = resize_image(image, (48, 64)).argmax(-1).astype(np.uint8)
    np.testing.assert_array_equal(pixels_of(answer.content), resize_ids(ids, shape))


def test_a_form_and_a_raw_body_give_the_same_answer(server, image, encode):
    raw = server.client.post("/segment", content=encode(image))
    form = server.client.post("/segment", files={"image": ("street.png", encode(image), "image/png")})
    assert form.status_code == raw.status_code == 200
    assert form.content == raw.content


def test_a_form_may_have_other_fields(server, image, encode):
    answer = server.client.post("/segment", files={"image": encode(image)}, data={"camera": "front"})
    assert answer.status_code == 200


def test_curls_default_content_type_is_taken_as_a_raw_body(server, image, encode):
    header = {"Content-Type": "application/x-www-form-urlencoded"}
    assert server.client.post("/segment", content=encode(image), headers=header).status_code == 200


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools
def test_json_holds_the_same_mask_as_the_png(server, encode):
    image = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    png = server.client.post("/segment", content=encode(image))
    answer = server.client.post("/segment", content=encode(image), headers={"Accept": "application/json"}).json()
    ids = np.full((37, 53), 255, np.uint8)
    for entry in answer["classes"]:
        ids[decode(dict(entry["mask"])) == 1] = entry["id"]
    np.testing.assert_array_equal(ids, pixels_of(png.content))
    assert (answer["height"], answer["width"]) == (37, 53)
    assert answer["notes"] == []
    assert list(answer["timings_ms"]) == list(STAGES[:-1])


def test_json_names_the_classes_present_with_their_share(server, encode):
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :48, 2] = 255
    image[:, 48:, 0] = 255
    answer = server.client.post("/segment", content=encode(image), headers={"Accept": "application/json"}).json()
    shares = [{name: entry[name] for name in ("id", "name", "pixels", "share")} for entry in answer["classes"]]
    assert shares == [
        {"id": 2, "name": "blue", "pixels": 2304, "share": 0.75},
        {"id": 0, "name": "red", "pixels": 768, "share": 0.25},
    ]


def test_an_overlay_shows_the_classes_over_the_image(server, image, encode):
    expected = overlay(image, image.argmax(-1).astype(np.uint8), PALETTE)
    png = server.client.post("/segment?overlay=true", content=encode(image))
    assert png.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(pixels_of(png.content), expected)
    jpeg = server.client.post("/segment?overlay=true", content=encode(image), headers={"Accept": "image/jpeg"})
    assert jpeg.headers["content-type"] == "image/jpeg"
    assert np.abs(pixels_of(jpeg.content).astype(int) - expected).mean() < 12


def test_every_stage_is_timed(server, image, encode):
    answer = server.client.post("/segment", content=encode(image))
    times = parse_server_timing(answer.headers["server-timing"])
    assert list(times) == list(STAGES)
    assert all(0 <= duration < 10_000 for duration in times.values())


@pytest.mark.parametrize(
    ("path", "accept", "status", "media_type"),
    [
        ("/segment", "*/*", 200, "image/png"),
        ("/segment", "image/*", 200, "image/png"),
        ("/segment", "text/html, application/json;q=0.5", 200, "application/json"),
        ("/segment", "image/jpeg", 406, "application/problem+json"),
        ("/segment", "text/html", 406, "application/problem+json"),
        ("/segment?overlay=true", "image/*", 200, "image/png"),
        ("/segment?overlay=true", "image/jpeg, image/png;q=0.1", 200, "image/jpeg"),
        ("/segment?overlay=true", "application/json", 406, "application/problem+json"),
    ],
)
def test_the_media_type_is_negotiated(server, image, encode, path, accept, status, media_type):
    answer = server.client.post(path, content=encode(image), headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (status, media_type)
    if status == 406:
        assert "accept one of image/png" in answer.json()["detail"]


def test_an_overlay_too_long_for_jpeg_says_so(server, encode):
    line = encode(np.zeros((1, 66_000, 3), np.uint8))
    answer = server.client.post("/segment?overlay=true", content=line, headers={"Accept": "image/jpeg"})
    assert answer.status_code == 422
    assert "accept image/png" in answer.json()["detail"]
    assert server.client.post("/segment?overlay=true", content=line).status_code == 200


def test_jpeg_webp_and_bmp_are_taken(server, image):
    for kind in (".jpg", ".webp", ".bmp"):
        data = cv2.imencode(kind, np.ascontiguousarray(image[..., ::-1]))[1].tobytes()
        assert server.client.post("/segment", content=data).status_code == 200
