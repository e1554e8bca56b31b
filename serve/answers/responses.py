"""What the OpenAPI description says of an answer: every media type, with an example that its encoder made."""

import base64
import json
from typing import Any

import numpy as np
from pydantic import BaseModel

from export.manifest import InputSpec, Manifest
from serve.answers.arrays import DTYPE_HEADER, SHAPE_HEADER
from serve.answers.geojson import FeatureCollection
from serve.answers.media import MASK_ENCODERS, OVERLAY_ENCODERS, Encoder
from serve.answers.segment_answer import SegmentAnswer
from serve.answers.several import NOTES_HEADER, ZIP, SeveralAnswers, pack
from serve.problem import PROBLEM_RESPONSES, ProblemError
from serve.segmentation import AnswerOptions, Encoded, Segmentation
from serve.timing import StageTimes

_BINARY = {"type": "string", "format": "binary"}

_DESCRIPTION = f"""The class map, in the form that `Accept` asks for:

- `image/png` (default): an 8-bit palette PNG whose pixel values are the class ids
- `application/json`: the classes present, their shares, and COCO run-length masks
- `application/geo+json`: outlines of the regions as polygons with holes, in pixels along the corners of pixels
- `application/x-npy`: uint8 (H, W) for `numpy.load`; with `confidence=true` (2, H, W), the confidence second
- `application/octet-stream`: the same array's bare bytes; `{SHAPE_HEADER}` and `{DTYPE_HEADER}` say what they are

With `overlay=true` the classes' colours over the image: `image/png` (default), `image/jpeg` or `image/webp`.
`confidence=true` is for JSON and the two arrays. Several images give `{{"images": […]}}` in JSON, and otherwise a ZIP
file with one entry for each, `0.png`, `1.png`, `2.problem.json` …"""

_HEADERS = {
    "Server-Timing": "milliseconds by stage",
    NOTES_HEADER: "what had to be done to the image, e.g. 'converted from greyscale'; absent if nothing",
    SHAPE_HEADER: "of application/octet-stream: H,W or 2,H,W",
    DTYPE_HEADER: "of application/octet-stream: uint8",
}

_MEDIA_TYPES = dict.fromkeys([*MASK_ENCODERS, *OVERLAY_ENCODERS, ZIP])  # a set in this order
_DEFAULT_AND_JSON = ("image/png", "application/json")

_FAILURES = (413, 415, 422)
"""Statuses that single images fail with; those of a request in which all of them failed."""

_FAILED = ProblemError(422, "damaged-image", "the image is damaged or cut off: send it again")

EXAMPLE_MANIFEST = Manifest(
    name="example",
    created="2026-01-01T00:00:00Z",
    classes=["sky", "road", "car"],
    palette=[(70, 130, 180), (128, 64, 128), (0, 0, 142)],
    input=InputSpec(height=12, width=16, mean=[0, 0, 0], std=[1, 1, 1]),
    files={},
    student={"name": "none"},
)


def segment_responses() -> dict[int | str, dict[str, Any]]:
    """What ``POST /segment`` answers, by status, for the ``responses`` of a FastAPI route."""
    return {200: _success(), **PROBLEM_RESPONSES, **{status: _failure(status) for status in _FAILURES}}


def _success() -> dict[str, Any]:
    content = {media_type: {"schema": _schema(media_type), "examples": {}} for media_type in _MEDIA_TYPES}
    for encoders, options in (MASK_ENCODERS, AnswerOptions()), (OVERLAY_ENCODERS, AnswerOptions(overlay=True)):
        for media_type, encode in encoders.items():
            name = "an overlay" if options.overlay else "a class map"
            one = encoded_example(media_type, encode, options)
            content[media_type]["examples"][name] = _example(media_type, one.body)
            if not options.overlay and media_type in _DEFAULT_AND_JSON:
                body, packed = pack([one, _FAILED], media_type)
                content[packed]["examples"]["two images, one damaged"] = _example(packed, body)
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()}
    return {"description": _DESCRIPTION, "headers": headers, "content": content}


def _failure(status: int) -> dict[str, Any]:
    """A problem; or, where each of several images failed, the list or the archive with a problem for each."""
    problem = PROBLEM_RESPONSES[status]
    several = {"application/json": {"schema": inlined(SeveralAnswers)}, ZIP: {"schema": _BINARY}}
    description = f"{problem['description']}; of several images that all failed, that of the first, with a problem each"
    return {"description": description, "content": {**problem["content"], **several}}


def example_segmentation() -> Segmentation:
    """A car on a road below the sky, 12 x 16 pixels."""
    ids = np.zeros((12, 16), np.uint8)
    ids[6:] = 1
    ids[4:9, 5:11] = 2
    ids[5, 6:8] = 0  # one sees the sky through its window
    image = np.array([(200, 220, 250), (90, 90, 90), (200, 30, 30)], np.uint8)[ids]
    times = StageTimes(decode=1.204, preprocess=0.31, queue=0.012, inference=9.87, postprocess=0.105)
    return Segmentation(image, ids, None, ["converted from greyscale"], times)


def encoded_example(media_type: str, encode: Encoder, options: AnswerOptions) -> Encoded:
    """The example in one media type."""
    segmentation = example_segmentation()
    body, headers = encode(segmentation, EXAMPLE_MANIFEST, options)
    return Encoded(body, media_type, headers, segmentation.notes, segmentation.times)


def _example(media_type: str, body: bytes) -> dict[str, Any]:
    if media_type.endswith("json"):
        return {"value": json.loads(body)}
    return {"externalValue": f"data:{media_type};base64,{base64.b64encode(body).decode()}"}  # a browser shows it


def _schema(media_type: str) -> dict[str, Any]:
    if media_type == "application/json":
        return {"anyOf": [inlined(SegmentAnswer), inlined(SeveralAnswers)]}
    return inlined(FeatureCollection) if media_type == "application/geo+json" else _BINARY


def inlined(model: type[BaseModel]) -> dict[str, Any]:
    """The JSON schema with its definitions in place: references would point to the root of the whole description."""
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(entry) for entry in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolved(definitions[node["$ref"].removeprefix("#/$defs/")])
        return {key: resolved(value) for key, value in node.items()}

    inlined: dict[str, Any] = resolved(schema)
    return inlined
