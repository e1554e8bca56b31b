"""One answer for several images: those of the single images in a JSON list, or in a ZIP file."""

import io
import zipfile
from collections.abc import Sequence

from pydantic import BaseModel

from serve.answers.segment_answer import SegmentAnswer
from serve.problem import Problem, problem_of
from serve.segmentation import Encoded

ZIP = "application/zip"
NOTES_HEADER = "Segdistill-Notes"

_JSON = "application/json"
_EXTENSIONS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/webp": "webp",
    "application/geo+json": "geojson",
    "application/x-npy": "npy",
    "application/octet-stream": "raw",
}
_PROBLEM = "problem.json"


class SeveralAnswers(BaseModel):
    """The answers to several images, in the order in which these came."""

    images: list[SegmentAnswer | Problem]


def pack(answers: Sequence[Encoded | Exception], media_type: str) -> tuple[bytes, str]:
    """The body, and its media type: JSON if ``media_type``, that of each image, is JSON, else a ZIP.

    JSON is a `SeveralAnswers`. A ZIP holds ``0.png``, ``1.png``, ... by the place of each image, and
    ``2.problem.json`` for one that failed; the headers of a single answer are in the comment of its entry. It is not
    compressed: what it holds is, or is meant to be fast. One with ``.npy`` files is what NumPy calls an ``.npz``.
    """
    if media_type == _JSON:
        return b'{"images":[' + b",".join(map(_body, answers)) + b"]}", _JSON
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for index, answer in enumerate(answers):
            extension = _PROBLEM if isinstance(answer, Exception) else _EXTENSIONS[media_type]
            archive.writestr(_entry(f"{index}.{extension}", answer), _body(answer))
    return file.getvalue(), ZIP


def _body(answer: Encoded | Exception) -> bytes:
    if isinstance(answer, Exception):
        return problem_of(answer).model_dump_json(exclude_none=True).encode()
    return answer.body


def _entry(name: str, answer: Encoded | Exception) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # its date is 1980-01-01: the same images give the same bytes
    if isinstance(answer, Encoded):
        headers = answer.headers | ({NOTES_HEADER: "; ".join(answer.notes)} if answer.notes else {})
        entry.comment = "\n".join(f"{key}: {value}" for key, value in headers.items()).encode()
    return entry
