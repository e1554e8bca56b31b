"""Answers to several images: whole, in order, each failure in its own place."""

import io
import json
import zipfile

import numpy as np
import pytest

from serve.answers.media import MASK_ENCODERS
from serve.answers.several import SeveralAnswers, pack
from serve.problem import Problem
from serve.segmentation import AnswerOptions, Encoded
from train.data.image import ImageError, ImageTooLargeError


@pytest.fixture
def encoded(segmentation, manifest):
    def encoded(media_type: str) -> Encoded:
        body, headers = MASK_ENCODERS[media_type](segmentation, manifest, AnswerOptions())
        return Encoded(body, media_type, headers, segmentation.notes, segmentation.times)

    return encoded


def unpacked(body: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_json_is_a_list_with_a_problem_in_the_place_of_a_failure(encoded):
    one = encoded("application/json")
    body, media_type = pack([one, ImageError("cut off"), one], "application/json")
    assert media_type == "application/json"
    answers = SeveralAnswers.model_validate_json(body).images
    assert [isinstance(answer, Problem) for answer in answers] == [False, True, False]
    assert json.loads(body)["images"][0] == json.loads(one.body)
    assert answers[1].status == 422
    assert answers[1].detail == "cut off"


@pytest.mark.parametrize(
    ("media_type", "extension"),
    [("image/png", "png"), ("application/geo+json", "geojson"), ("application/octet-stream", "raw")],
)
def test_other_forms_are_a_zip_with_a_file_for_each(encoded, media_type, extension):
    one = encoded(media_type)
    body, packed = pack([one, one, ImageTooLargeError("too many pixels")], media_type)
    assert packed == "application/zip"
    files = unpacked(body)
    assert list(files) == [f"0.{extension}", f"1.{extension}", "2.problem.json"]
    assert files[f"1.{extension}"] == one.body
    assert json.loads(files["2.problem.json"])["status"] == 413
    assert pack([one, one, ImageTooLargeError("too many pixels")], media_type)[0] == body


def test_npy_files_are_an_npz(encoded, segmentation):
    one = encoded("application/x-npy")
    with np.load(io.BytesIO(pack([one, one], "application/x-npy")[0])) as arrays:
        assert list(arrays) == ["0", "1"]
        np.testing.assert_array_equal(arrays["1"], segmentation.ids)


def test_the_comment_of_an_entry_has_the_headers(encoded):
    body, _ = pack([encoded("application/octet-stream")], "application/octet-stream")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        comment = archive.getinfo("0.raw").comment.decode()
    assert comment.splitlines() == [
        "Segdistill-Shape: 60,90",
        "Segdistill-Dtype: uint8",
        "Segdistill-Notes: rotated; converted from greyscale",
    ]
