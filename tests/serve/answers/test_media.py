"""Which media types can hold what is asked for."""

import pytest

from serve.answers.media import MASK_ENCODERS, encoders
from serve.problem import ProblemError
from serve.segmentation import AnswerOptions


def test_a_class_map_is_a_png_unless_asked_otherwise():
    assert next(iter(encoders(AnswerOptions()))) == "image/png"
    assert set(encoders(AnswerOptions())) == {
        "image/png",
        "application/json",
        "application/geo+json",
        "application/x-npy",
        "application/octet-stream",
    }


def test_an_overlay_is_a_picture():
    assert list(encoders(AnswerOptions(overlay=True))) == ["image/png", "image/jpeg", "image/webp"]


def test_confidence_is_offered_where_it_has_a_place():
    offered = encoders(AnswerOptions(confidence=True))
    assert list(offered) == ["application/json", "application/x-npy", "application/octet-stream"]
    assert all(MASK_ENCODERS[media_type] is encode for media_type, encode in offered.items())


def test_an_overlay_with_confidence_is_refused():
    with pytest.raises(ProblemError, match="leave one of them out"):
        encoders(AnswerOptions(overlay=True, confidence=True))
