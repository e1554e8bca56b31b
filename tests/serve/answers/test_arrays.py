"""The class map as bytes and as a NumPy file."""

import io
from dataclasses import replace

import numpy as np
import pytest

from serve.answers.arrays import encode_npy, encode_raw
from serve.segmentation import AnswerOptions


def loaded_raw(body: bytes, headers: dict[str, str]) -> np.ndarray:
    shape = [int(side) for side in headers["Segdistill-Shape"].split(",")]
    return np.frombuffer(body, headers["Segdistill-Dtype"]).reshape(shape)


def loaded_npy(body: bytes, _: dict[str, str]) -> np.ndarray:
    return np.load(io.BytesIO(body), allow_pickle=False)


@pytest.mark.parametrize(("encode", "loaded"), [(encode_raw, loaded_raw), (encode_npy, loaded_npy)])
def test_what_is_loaded_is_the_class_map(segmentation, sure, manifest, encode, loaded):
    ids = loaded(*encode(segmentation, manifest, AnswerOptions()))
    assert ids.dtype == np.uint8
    np.testing.assert_array_equal(ids, segmentation.ids)
    both = loaded(*encode(sure, manifest, AnswerOptions(confidence=True)))
    np.testing.assert_array_equal(both, [sure.ids, sure.confidence])


@pytest.mark.parametrize(("encode", "loaded"), [(encode_raw, loaded_raw), (encode_npy, loaded_npy)])
def test_rows_stay_rows_in_an_array_that_is_a_view(segmentation, manifest, encode, loaded):
    turned = replace(segmentation, ids=segmentation.ids.T)
    np.testing.assert_array_equal(loaded(*encode(turned, manifest, AnswerOptions())), segmentation.ids.T)
