"""What the OpenAPI description says of ``POST /segment/video``, with examples that the forms themselves wrote."""

from fractions import Fraction
from typing import Any

from serve.answers.responses import EXAMPLE_MANIFEST, example_segmentation, inlined
from serve.problem import problem_of
from serve.segmentation import AnswerOptions
from serve.video.container import CONTAINERS
from serve.video.conveyor import SegmentedFrame
from serve.video.errors import VideoError
from serve.video.form import BrokenFrameAnswer, Form, FrameAnswer, VideoSummary
from serve.video.frames import BrokenFrame, Frame
from serve.video.headers import FRAME_HEADER, TIME_HEADER
from serve.video.mp4 import MP4
from serve.video.multipart import MULTIPART, Multipart
from serve.video.ndjson import NDJSON, Ndjson
from serve.video.places import FIELD
from train.data.image import DecodedImage

_BINARY = {"type": "string", "format": "binary"}

REQUEST_BODY = {
    "required": True,
    "description": f"A video ({CONTAINERS}) as the body itself, or a form with one file '{FIELD}'.",
    "content": {
        "video/*": {"schema": _BINARY},
        "multipart/form-data": {
            "schema": {"type": "object", "required": [FIELD], "properties": {FIELD: _BINARY}},
        },
    },
}

_DESCRIPTION = f"""The frames, each as soon as it is segmented, in the form that `Accept` asks for:

- `{NDJSON}` (default): a line for each frame, the JSON of `/segment` with `frame` and `time_s`; one that is broken has
  `problem` in their place. The last line is a summary (`frames`), or the problem (`type`) that ended it early.
- `{MULTIPART}`: a part for each frame, a palette PNG of class ids, with `overlay=true` a JPEG; `{FRAME_HEADER}` and
  `{TIME_HEADER}` (seconds) in its head. The last part, without them, is the summary or the problem, as JSON.
- `{MP4}`: the classes' colours over the video, H.264, in fragments, with the times of the frames. Broken frames are
  left out. If it ends early, the connection is closed without the end of the body."""

_HEADERS = {"Server-Timing": {"description": "milliseconds by stage, of the first frame", "schema": {"type": "string"}}}


def video_responses() -> dict[int | str, dict[str, Any]]:
    """Status 200, for the ``responses`` of a FastAPI route."""
    options = AnswerOptions()
    ndjson = _example(Ndjson(EXAMPLE_MANIFEST, options))
    parts = Multipart(
        EXAMPLE_MANIFEST, options, "image/png", lambda *_: (b"(bytes of a PNG)", {}), "segdistill-example"
    )
    schema = {"anyOf": [inlined(kind) for kind in (FrameAnswer, BrokenFrameAnswer, VideoSummary)]}
    content = {
        NDJSON: {"schema": schema, "examples": {"a frame, a broken one": {"value": ndjson.decode()}}},
        MULTIPART: {"schema": _BINARY, "examples": {"a frame, a broken one": {"value": _example(parts).decode()}}},
        MP4: {"schema": _BINARY},
    }
    return {200: {"description": _DESCRIPTION, "headers": _HEADERS, "content": content}}


def _example(form: Form) -> bytes:
    segmentation = example_segmentation()
    frame = Frame(0, 0.0, DecodedImage(segmentation.image), Fraction(25))
    error = VideoError("frame 1 cannot be decoded: the frames after it may be spoilt too")
    summary = VideoSummary(frames=2, broken=1, seconds=0.03, timings_ms=dict(segmentation.times))
    return b"".join(
        [
            form.segmented(SegmentedFrame(frame, segmentation)),
            form.broken(BrokenFrame(1, 0.04, error), problem_of(error)),
            form.end(summary),
        ]
    )
