"""The forms of an answer: class map (PNG), JSON, overlay (PNG, JPEG)."""

from collections.abc import Mapping

import cv2
import numpy as np
import simplejpeg
from pydantic import BaseModel, Field

from export.manifest import Manifest
from serve.answers.png import indexed_png
from serve.answers.runs import run_lengths
from serve.pipeline import Encoder, Segmentation
from train.data.palette import overlay
from train.errors import UserError

JPEG_QUALITY = 90
JPEG_MAX_SIDE = 65500
"""libjpeg's, in pixels."""


class ClassShare(BaseModel):
    """A class that is present."""

    id: int
    name: str | None = Field(description="null for an id that is no class of the model")
    pixels: int
    share: float = Field(description="of all pixels, 0..1")


class RunLengthMask(BaseModel):
    """The class map, row by row from the top left, as runs of one class; a run may go on in the next row.

    In NumPy: `ids = np.repeat(mask["values"], mask["lengths"]).reshape(mask["height"], mask["width"])`.
    """

    height: int = Field(description="pixels")
    width: int = Field(description="pixels")
    values: list[int] = Field(description="the class id of each run")
    lengths: list[int] = Field(description="the number of pixels of each run")


class SegmentAnswer(BaseModel):
    """The answer in JSON."""

    height: int = Field(description="pixels of the upright image")
    width: int = Field(description="pixels of the upright image")
    classes: list[ClassShare] = Field(description="the classes present, the largest first")
    mask: RunLengthMask
    notes: list[str] = Field(description="what had to be done to the image, e.g. 'converted from greyscale'")
    timings_ms: dict[str, float] = Field(
        description="by stage, in milliseconds, up to the writing of this answer; Server-Timing has that too"
    )


def encode_json(segmentation: Segmentation, manifest: Manifest) -> bytes:
    """A `SegmentAnswer`."""
    height, width = segmentation.ids.shape
    values, lengths = run_lengths(segmentation.ids)
    answer = SegmentAnswer(
        height=height,
        width=width,
        classes=class_shares(segmentation.ids, manifest.classes),
        mask=RunLengthMask(height=height, width=width, values=values, lengths=lengths),
        notes=segmentation.notes,
        timings_ms={stage: round(duration, 3) for stage, duration in segmentation.times.items()},
    )
    return answer.model_dump_json().encode()


def encode_class_map(segmentation: Segmentation, manifest: Manifest) -> bytes:
    """An 8-bit palette PNG whose pixel values are the class ids."""
    return indexed_png(segmentation.ids, manifest.palette)


def encode_overlay_png(segmentation: Segmentation, manifest: Manifest) -> bytes:
    """The classes' colours over the image, lossless."""
    blended = overlay(segmentation.image, segmentation.ids, manifest.palette)
    fastest = [cv2.IMWRITE_PNG_COMPRESSION, 1]
    _, encoded = cv2.imencode(".png", cv2.cvtColor(blended, cv2.COLOR_RGB2BGR), fastest)
    return encoded.tobytes()


def encode_overlay_jpeg(segmentation: Segmentation, manifest: Manifest) -> bytes:
    """The classes' colours over the image, JPEG without chroma subsampling: the classes' borders stay sharp.

    Raises:
        UserError: a side is longer than JPEG's.
    """
    height, width = segmentation.ids.shape
    if max(height, width) > JPEG_MAX_SIDE:
        raise UserError(f"an overlay of {width} x {height} pixels does not fit into a JPEG: accept image/png")
    blended = overlay(segmentation.image, segmentation.ids, manifest.palette)
    return bytes(simplejpeg.encode_jpeg(blended, JPEG_QUALITY, colorspace="RGB", colorsubsampling="444"))


def class_shares(ids: np.ndarray, names: list[str]) -> list[ClassShare]:
    """The classes present in ``ids`` ``(H, W)``, the largest first."""
    counts = np.bincount(ids.reshape(-1), minlength=256)
    present = sorted(np.flatnonzero(counts).tolist(), key=lambda index: -int(counts[index]))
    return [
        ClassShare(
            id=index,
            name=names[index] if index < len(names) else None,
            pixels=int(counts[index]),
            share=round(float(counts[index]) / ids.size, 6),
        )
        for index in present
    ]


MASK_ENCODERS: Mapping[str, Encoder] = {"image/png": encode_class_map, "application/json": encode_json}
OVERLAY_ENCODERS: Mapping[str, Encoder] = {"image/png": encode_overlay_png, "image/jpeg": encode_overlay_jpeg}
