"""From the bytes of an image to the bytes of its answer, every stage timed."""

from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from export.manifest import Manifest
from export.preprocess import postprocess, preprocess
from serve.answers.media import Encoder
from serve.batcher import Batcher
from serve.segmentation import AnswerOptions, Encoded, Segmentation
from serve.ticket import Ticket
from serve.timing import StageTimes
from train.data.image import MAX_PIXELS, UPLOAD_FORMATS, decode_image


@dataclass(frozen=True)
class Order:
    """What a client wants to have of an image."""

    media_type: str
    encode: Encoder
    options: AnswerOptions = field(default_factory=AnswerOptions)
    size: Literal["source", "network"] = "source"


class Pipeline:
    """Decode, preprocess, infer, postprocess, encode. Safe to call from several threads."""

    def __init__(self, batcher: Batcher, manifest: Manifest) -> None:
        self.batcher = batcher
        self.manifest = manifest
        cv2.setNumThreads(1)  # requests run side by side, none may take all cores for a resize

    def answer(self, data: bytes, order: Order, ticket: Ticket, max_pixels: int = MAX_PIXELS) -> Encoded:
        """Segment and encode.

        Raises:
            Dropped: the ticket became invalid.
            UserError: ``data`` is no image that can be read, or the answer cannot be given in that form.
        """
        segmentation = self.segment(data, order, ticket, max_pixels)
        ticket.check()
        with segmentation.times.measure("encode"):
            body, headers = order.encode(segmentation, self.manifest, order.options)
        return Encoded(body, order.media_type, headers, segmentation.notes, segmentation.times, segmentation.batch)

    def segment(self, data: bytes, order: Order, ticket: Ticket, max_pixels: int = MAX_PIXELS) -> Segmentation:
        """Class ids at the image's own size, or the network's."""
        ticket.check()
        times = StageTimes()
        with self.batcher.coming():
            with times.measure("decode"):
                decoded = decode_image(data, max_pixels, UPLOAD_FORMATS)
            with times.measure("preprocess"):
                batch = preprocess(decoded.pixels, self.manifest.input)
        inference = self.batcher.infer(batch, ticket, order.options.confidence)
        times.update(queue=inference.queue_ms, inference=inference.inference_ms)
        with times.measure("postprocess"):
            ids = _only(inference.ids, order.options.classes, self.manifest.ignore_index)
            pixels, confidence = batch[0], inference.confidence
            if order.size == "source":
                pixels, size = decoded.pixels, decoded.pixels.shape[:2]
                ids = postprocess(ids, size)
                confidence = None if confidence is None else postprocess(confidence, size)
        return Segmentation(pixels, ids, confidence, decoded.notes, times, inference.batch)


def _only(ids: NDArray[np.uint8], classes: frozenset[int] | None, ignore_index: int) -> NDArray[np.uint8]:
    """``ids`` with all but ``classes`` made ``ignore_index``."""
    if classes is None:
        return ids
    table = np.full(256, ignore_index, np.uint8)
    wanted = sorted(classes)
    table[wanted] = wanted
    return np.asarray(cv2.LUT(ids, table), np.uint8)
