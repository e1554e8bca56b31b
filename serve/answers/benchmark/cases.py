"""Every encoder, and what makes the class ids before it, beside what other libraries offer for the same."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic_core import to_json

from serve.answers.arrays import encode_npy, encode_raw
from serve.answers.benchmark.street import CLASSES, STRIDE, logits, manifest
from serve.answers.geojson import encode_geojson
from serve.answers.overlay import (
    JPEG_QUALITY,
    WEBP_QUALITY,
    encode_overlay_jpeg,
    encode_overlay_png,
    encode_overlay_webp,
)
from serve.answers.png import encode_png
from serve.answers.rle import class_runs, compressed_counts
from serve.answers.segment_answer import encode_json
from serve.engines.class_map import class_map
from serve.segmentation import AnswerOptions, Segmentation
from train.data.palette import overlay
from train.data.resize import Size, resize_ids

_LEVEL_1 = [cv2.IMWRITE_PNG_COMPRESSION, 1]


@dataclass(frozen=True)
class Case:
    """One way to do one thing."""

    task: str
    way: str
    run: Callable[[], object]
    """Gives bytes where the way writes an answer."""
    is_reference: bool = False
    """Whether the ratios of the task are to this one."""


def cases(segmentation: Segmentation) -> list[Case]:
    """All tasks, our way first."""
    return [*_class_ids(segmentation.ids), *_masks(segmentation), *_overlays(segmentation)]


def _class_ids(ids: NDArray[np.uint8]) -> list[Case]:
    planes = logits(ids)
    size = (ids.shape[0], ids.shape[1])
    half = np.ascontiguousarray(ids[::2, ::2])
    upsampled, resized = f"class ids of logits at stride {STRIDE}", "class ids of half the height and width"
    return [
        Case(upsampled, "serve, in strips", lambda: class_map(planes, STRIDE)),
        Case(upsampled, "running maximum", lambda: _running_maximum(planes, size), is_reference=True),
        Case(upsampled, "all classes, then argmax", lambda: _argmax_of_all(planes, size)),
        Case(resized, "serve", lambda: resize_ids(half, size)),
        Case(resized, "Pillow", lambda: _pillow_resize(half, size), is_reference=True),
    ]


def _masks(segmentation: Segmentation) -> list[Case]:
    ids, model, plain = segmentation.ids, manifest(), AnswerOptions()
    exact = AnswerOptions(tolerance=0)
    bare = replace(segmentation, confidence=None)
    return [
        Case("image/png", "serve", lambda: encode_png(bare, model, plain)[0]),
        Case("image/png", "OpenCV, level 1", lambda: _opencv(".png", ids, _LEVEL_1), is_reference=True),
        Case("image/png", "Pillow, level 1", lambda: _pillow_png(ids)),
        Case("run lengths", "serve", lambda: "".join(compressed_counts(class_runs(ids))).encode()),
        *_pycocotools_if_installed(ids),
        Case("application/json", "serve", lambda: encode_json(bare, model, plain)[0]),
        Case("application/json", "serve, with confidence", lambda: encode_json(segmentation, model, plain)[0]),
        Case("polygons", "serve, tolerance 1", lambda: encode_geojson(bare, model, plain)[0]),
        Case("polygons", "serve, tolerance 0", lambda: encode_geojson(bare, model, exact)[0]),
        Case("polygons", "OpenCV, tolerance 1, half a pixel off", lambda: _contours(ids), is_reference=True),
        Case("application/x-npy", "serve", lambda: encode_npy(bare, model, plain)[0]),
        Case("application/octet-stream", "serve", lambda: encode_raw(bare, model, plain)[0]),
    ]


def _overlays(segmentation: Segmentation) -> list[Case]:
    model, options = manifest(), AnswerOptions(overlay=True)
    jpeg, webp = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY], [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY]

    def bgr() -> NDArray[np.uint8]:
        blended = overlay(segmentation.image, segmentation.ids, model.palette)
        return np.asarray(cv2.cvtColor(blended, cv2.COLOR_RGB2BGR), np.uint8)

    return [
        Case("overlay as PNG", "serve", lambda: encode_overlay_png(segmentation, model, options)[0]),
        Case("overlay as PNG", "OpenCV, level 1", lambda: _opencv(".png", bgr(), _LEVEL_1), is_reference=True),
        Case("overlay as JPEG", "serve, full chroma", lambda: encode_overlay_jpeg(segmentation, model, options)[0]),
        Case("overlay as JPEG", "OpenCV, half chroma", lambda: _opencv(".jpg", bgr(), jpeg), is_reference=True),
        Case("overlay as WebP", "serve", lambda: encode_overlay_webp(segmentation, model, options)[0]),
        Case("overlay as WebP", "OpenCV", lambda: _opencv(".webp", bgr(), webp), is_reference=True),
    ]


def _running_maximum(planes: NDArray[np.float32], size: Size) -> NDArray[np.uint8]:
    """Over the classes, each upsampled whole."""
    ids, index = np.zeros(size, np.uint8), np.empty(size, np.uint8)
    largest = cv2.resize(planes[0], size[::-1])
    for number in range(1, CLASSES):
        plane = cv2.resize(planes[number], size[::-1])
        index.fill(number)
        cv2.copyTo(index, cv2.compare(plane, largest, cv2.CMP_GT), ids)
        cv2.max(plane, largest, largest)
    return ids


def _argmax_of_all(planes: NDArray[np.float32], size: Size) -> NDArray[np.uint8]:
    large = np.stack([cv2.resize(plane, size[::-1]) for plane in planes])
    return np.asarray(large.argmax(axis=0), np.uint8)


def _pillow_resize(ids: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(ids).resize(size[::-1], Image.Resampling.NEAREST))


def _opencv(extension: str, pixels: NDArray[np.uint8], options: list[int]) -> bytes:
    return cv2.imencode(extension, pixels, options)[1].tobytes()


def _pillow_png(ids: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(ids)
    picture.putpalette([value for colour in manifest().palette for value in colour])
    picture.save(file, "PNG", compress_level=1)
    return file.getvalue()


def _pycocotools_if_installed(ids: NDArray[np.uint8]) -> list[Case]:
    try:
        from pycocotools import mask
    except ModuleNotFoundError:
        return []

    present = np.unique(ids).tolist()

    def counts() -> bytes:
        return b"".join(mask.encode(np.asfortranarray(ids == index))["counts"] for index in present)

    return [Case("run lengths", "pycocotools", counts, is_reference=True)]


def _contours(ids: NDArray[np.uint8]) -> bytes:
    rings: list[Any] = []
    for index in range(CLASSES):
        mask = (ids == index).view(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        rings += [cv2.approxPolyDP(contour, 1, closed=True)[:, 0].tolist() for contour in contours]
    return to_json(rings)
