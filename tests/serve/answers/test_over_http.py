"""Every form of the answer comes from a real server as its encoder wrote it."""

import io
import json

import cv2
import numpy as np
import pytest
from PIL import Image

from serve.answers.media import MASK_ENCODERS, OVERLAY_ENCODERS
from train.data.palette import overlay

PALETTE = [(128, 0, 0), (0, 128, 0), (0, 0, 128)]


@pytest.mark.parametrize("media_type", list(MASK_ENCODERS))
def test_every_form_has_its_media_type(server, image, encode, media_type):
    answer = server.client.post("/segment", content=encode(image), headers={"Accept": media_type})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == media_type
    assert answer.headers["vary"] == "Accept"


def test_polygons_cover_the_image(server, image, encode):
    header = {"Accept": "application/geo+json"}
    answer = json.loads(server.client.post("/segment?tolerance=0", content=encode(image), headers=header).content)
    assert sum(feature["properties"]["pixels"] for feature in answer["features"]) == image.shape[0] * image.shape[1]
    for feature in answer["features"]:
        exterior, *holes = (np.array(ring, np.int32) for ring in feature["geometry"]["coordinates"])
        area = cv2.contourArea(exterior) - sum(map(cv2.contourArea, holes))
        assert area == feature["properties"]["pixels"]
    chosen = server.client.post("/segment?classes=green", content=encode(image), headers=header).json()
    assert {feature["properties"]["name"] for feature in chosen["features"]} == {"green"}


@pytest.mark.parametrize("media_type", list(OVERLAY_ENCODERS))
def test_overlays_show_image_and_classes(server, encode, media_type):
    image = np.full((96, 128, 3), 90, np.uint8)
    image[:, 64:, 2] = 200
    image[:, :64, 0] = 200
    answer = server.client.post("/segment?overlay=true", content=encode(image), headers={"Accept": media_type})
    assert answer.headers["content-type"] == media_type
    shown = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)
    expected = overlay(image, image.argmax(-1).astype(np.uint8), PALETTE)
    assert np.abs(shown - expected)[:, [5, 120]].max() <= 12


def test_pictures_that_are_wanted_by_a_browser_come_as_webp(server, image, encode):
    browser = {"Accept": "text/html,application/xhtml+xml,image/webp,*/*;q=0.8"}
    answer = server.client.post("/segment?overlay=true", content=encode(image), headers=browser)
    assert answer.headers["content-type"] == "image/webp"


def test_several_accept_headers_are_one(server, image, encode):
    lines = [("Accept", "text/html"), ("Accept", "application/x-npy")]
    answer = server.client.post("/segment", content=encode(image), headers=lines)
    assert answer.headers["content-type"] == "application/x-npy"
