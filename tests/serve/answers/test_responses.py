"""The examples in the OpenAPI description are what the encoders write, and its schemas fit them."""

import base64
import io
import json
import zipfile

import jsonschema_rs
import numpy as np
import pytest
from fastapi import FastAPI
from fastapi.responses import Response
from PIL import Image

from serve.answers.media import MASK_ENCODERS, OVERLAY_ENCODERS
from serve.answers.responses import encoded_example, example_segmentation, segment_responses
from serve.segmentation import AnswerOptions

CONTENT = segment_responses()[200]["content"]


def bytes_of(media_type: str, name: str) -> bytes:
    uri = CONTENT[media_type]["examples"][name]["externalValue"]
    assert uri.startswith(f"data:{media_type};base64,")
    return base64.b64decode(uri.partition(",")[2], validate=True)


def test_every_media_type_has_an_example():
    assert set(CONTENT) == {*MASK_ENCODERS, *OVERLAY_ENCODERS, "application/zip"}
    assert all(entry["examples"] for entry in CONTENT.values())


@pytest.mark.parametrize("media_type", ["image/png", "application/x-npy", "application/octet-stream"])
def test_binary_examples_are_the_encoders_bytes(media_type):
    encoded = encoded_example(media_type, MASK_ENCODERS[media_type], AnswerOptions())
    assert bytes_of(media_type, "a class map") == encoded.body


@pytest.mark.parametrize("media_type", list(OVERLAY_ENCODERS))
def test_overlay_examples_are_pictures(media_type):
    picture = Image.open(io.BytesIO(bytes_of(media_type, "an overlay")))
    assert Image.MIME[picture.format] == media_type
    assert picture.size == example_segmentation().ids.shape[::-1]


@pytest.mark.parametrize("media_type", ["application/json", "application/geo+json"])
def test_json_examples_fit_their_schema(media_type):
    body = encoded_example(media_type, MASK_ENCODERS[media_type], AnswerOptions()).body
    assert CONTENT[media_type]["examples"]["a class map"]["value"] == json.loads(body)
    for example in CONTENT[media_type]["examples"].values():
        jsonschema_rs.validate(CONTENT[media_type]["schema"], example["value"])
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(CONTENT[media_type]["schema"], {"type": "FeatureCollection"})


def test_the_example_of_a_zip_opens():
    with zipfile.ZipFile(io.BytesIO(bytes_of("application/zip", "two images, one damaged"))) as archive:
        assert archive.namelist() == ["0.png", "1.problem.json"]
        ids = np.asarray(Image.open(archive.open("0.png")))
    np.testing.assert_array_equal(ids, example_segmentation().ids)


@pytest.mark.parametrize("media_type", ["application/json", "image/png"])
@pytest.mark.parametrize("status", [415, 422])
def test_an_answer_in_which_all_images_failed_is_described(server, image, encode, status, media_type):
    body = b"no image" if status == 415 else encode(image, "PNG")[:-40]
    files = [("image", ("a.jpg", body)), ("image", ("b.jpg", body))]
    answer = server.client.post("/segment", files=files, headers={"Accept": media_type})
    assert answer.status_code == status
    described = segment_responses()[status]["content"][answer.headers["content-type"]]
    if media_type == "application/json":
        jsonschema_rs.validate(described["schema"], answer.json())


def test_a_route_with_these_responses_has_a_description_without_dangling_references():
    app = FastAPI()
    app.get("/segment", responses=segment_responses(), response_class=Response)(lambda: None)
    described = app.openapi()["paths"]["/segment"]["get"]["responses"]["200"]
    assert set(described["content"]) == set(CONTENT)
    assert "$ref" not in json.dumps(described)
