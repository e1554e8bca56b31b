"""The answer in JSON: the classes present, each with its share and its mask as run lengths."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field

from export.manifest import Manifest
from serve.answers.rle import ClassRuns, class_means, class_runs, compressed_counts
from serve.segmentation import AnswerOptions, Segmentation


class RunLengthMask(BaseModel):
    """One class in COCO's compressed run lengths, for `pycocotools.mask.decode`."""

    size: tuple[int, int] = Field(description="height and width in pixels")
    counts: str = Field(
        description="lengths of the runs of 0 and 1 in turn, column by column from the top left, compressed as "
        "pycocotools does"
    )


class ClassAnswer(BaseModel):
    """A class that is present."""

    id: int
    name: str | None = Field(description="null for an id that is no class of the model")
    pixels: int
    share: float = Field(description="of all pixels, 0..1")
    confidence: float | None = Field(
        description="mean softmax probability of the class at its pixels, 0..1; null where not asked for"
    )
    mask: RunLengthMask


class SegmentAnswer(BaseModel):
    """The answer in JSON. The masks do not overlap; together they cover the image."""

    height: int = Field(description="pixels of the class map")
    width: int = Field(description="pixels of the class map")
    classes: list[ClassAnswer] = Field(description="the classes present, the largest first")
    notes: list[str] = Field(description="what had to be done to the image, e.g. 'converted from greyscale'")
    timings_ms: dict[str, float] = Field(
        description="by stage, in milliseconds, up to the writing of this answer; Server-Timing has that too"
    )


def encode_json(segmentation: Segmentation, manifest: Manifest, _: AnswerOptions) -> tuple[bytes, dict[str, str]]:
    """A `SegmentAnswer`."""
    height, width = segmentation.ids.shape
    answer = SegmentAnswer(
        height=height,
        width=width,
        classes=_classes(segmentation.ids, segmentation.confidence, manifest.classes),
        notes=segmentation.notes,
        timings_ms={stage: round(duration, 3) for stage, duration in segmentation.times.items()},
    )
    return answer.model_dump_json().encode(), {}


def _classes(ids: NDArray[np.uint8], confidence: NDArray[np.uint8] | None, names: list[str]) -> list[ClassAnswer]:
    runs = class_runs(ids)
    counts = compressed_counts(runs)
    means = _means(runs, confidence)
    pixels = runs.sums(runs.lengths)
    return [
        ClassAnswer(
            id=int(runs.present[index]),
            name=names[runs.present[index]] if runs.present[index] < len(names) else None,
            pixels=int(pixels[index]),
            share=round(float(pixels[index]) / ids.size, 6),
            confidence=means[index],
            mask=RunLengthMask(size=(ids.shape[0], ids.shape[1]), counts=counts[index]),
        )
        for index in np.argsort(-pixels, kind="stable")
    ]


def _means(runs: ClassRuns, confidence: NDArray[np.uint8] | None) -> list[float] | list[None]:
    if confidence is None:
        return [None] * runs.present.size
    means: list[float] = (class_means(runs, confidence) / 255).round(4).tolist()
    return means
