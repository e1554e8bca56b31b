"""The media types of an answer, and what writes each."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from export.manifest import Manifest
from serve.answers.arrays import encode_npy, encode_raw
from serve.answers.geojson import encode_geojson
from serve.answers.overlay import encode_overlay_jpeg, encode_overlay_png, encode_overlay_webp
from serve.answers.png import encode_png
from serve.answers.segment_answer import encode_json
from serve.problem import ProblemError
from serve.segmentation import AnswerOptions, Segmentation

Encoder = Callable[[Segmentation, Manifest, AnswerOptions], tuple[bytes, dict[str, str]]]
"""Writes a segmentation in one media type; gives the body and the headers that go with it."""

MASK_ENCODERS: Mapping[str, Encoder] = MappingProxyType(
    {
        "image/png": encode_png,
        "application/json": encode_json,
        "application/geo+json": encode_geojson,
        "application/x-npy": encode_npy,
        "application/octet-stream": encode_raw,
    }
)
"""Of class maps; the first is what a client gets that takes anything."""

OVERLAY_ENCODERS: Mapping[str, Encoder] = MappingProxyType(
    {"image/png": encode_overlay_png, "image/jpeg": encode_overlay_jpeg, "image/webp": encode_overlay_webp}
)

_CONFIDENCE = ("application/json", "application/x-npy", "application/octet-stream")


def encoders(options: AnswerOptions) -> Mapping[str, Encoder]:
    """The media types that can hold what is asked for, the preferred one first.

    Raises:
        ProblemError: 422 an overlay with confidence.
    """
    if options.overlay and options.confidence:
        raise ProblemError(422, "invalid-parameter", "an overlay shows no confidence: leave one of them out")
    if options.confidence:
        return {media_type: MASK_ENCODERS[media_type] for media_type in _CONFIDENCE}
    return OVERLAY_ENCODERS if options.overlay else MASK_ENCODERS
