"""From the bytes of an image to the bytes of an answer, each stage timed."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from export.bundle import BundleError
from export.manifest import Manifest
from export.preprocess import postprocess, preprocess
from serve.engine import Engine
from serve.timing import StageTimes
from train.data.image import MAX_PIXELS, UPLOAD_FORMATS, decode_image


@dataclass(frozen=True)
class Segmentation:
    """An upright image ``(H, W, 3)``, its class ids ``(H, W)``, and how they came about."""

    image: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    notes: list[str]
    times: StageTimes


Encoder = Callable[[Segmentation, Manifest], bytes]
"""Writes a segmentation in one media type."""


@dataclass(frozen=True)
class Encoded:
    """The bytes of an answer."""

    body: bytes
    notes: list[str]
    times: StageTimes


class Pipeline:
    """Decode, preprocess, infer, postprocess, encode. Safe to call from several threads."""

    def __init__(self, engine: Engine, manifest: Manifest, max_pixels: int = MAX_PIXELS) -> None:
        self.engine = engine
        self.manifest = manifest
        self.max_pixels = max_pixels
        cv2.setNumThreads(1)  # requests run side by side, none may take all cores for a resize

    def segment(self, data: bytes) -> Segmentation:
        """Class ids at the image's own size; `train.data.image.ImageError` if ``data`` is no such image."""
        times = StageTimes()
        with times.measure("decode"):
            decoded = decode_image(data, self.max_pixels, UPLOAD_FORMATS)
        height, width = decoded.pixels.shape[:2]
        with times.measure("preprocess"):
            batch = preprocess(decoded.pixels, self.manifest.input)
        with times.measure("inference"):
            ids = self.engine.infer(batch)[0]
        with times.measure("postprocess"):
            ids = postprocess(ids, (height, width))
        return Segmentation(decoded.pixels, ids, decoded.notes, times)

    def answer(self, data: bytes, encoder: Encoder) -> Encoded:
        """Segment and encode."""
        segmentation = self.segment(data)
        with segmentation.times.measure("encode"):
            body = encoder(segmentation, self.manifest)
        return Encoded(body, segmentation.notes, segmentation.times)

    def warm_up(self) -> None:
        """Two inferences at the network's size: the first allocates its memory and shows that it runs.

        Pillow loads its readers with the first JPEG and the first WebP, 17 and 24 ms that no client shall wait.

        Raises:
            BundleError: the graph does not run.
        """
        dot = np.zeros((1, 1, 3), np.uint8)
        try:
            for kind in (".jpg", ".webp"):
                self.segment(cv2.imencode(kind, dot)[1].tobytes())
        except Exception as error:  # an engine's exceptions have no common base
            reason = " ".join(str(error).split())
            raise BundleError(f"{self.manifest.name}: the first inference failed ({reason}): export it again") from None
