"""From the bytes of an image to the bytes of its answer, every stage timed."""

from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from export.manifest import Manifest
from export.preprocess import postprocess, preprocess
from serve.answers.media import Encoder
from serve.batcher import Batcher
from serve.segmentation import AnswerOptions, Encoded, Segmentation
from serve.smoothing import Smoothing
from serve.ticket import Ticket
from serve.timing import StageTimes
from train.data.image import MAX_PIXELS, UPLOAD_FORMATS, DecodedImage, decode_image


@dataclass(frozen=True)
class Order:
    """What a client wants to have of an image."""

    media_type: str
    encode: Encoder
    options: AnswerOptions = field(default_factory=AnswerOptions)
    size: Literal["source", "network"] = "source"


@dataclass(frozen=True)
class Prepared:
    """An image, and what the network gets of it."""

    decoded: DecodedImage
    batch: NDArray[np.uint8]
    """RGB ``(1, h, w, 3)`` at the network's size."""
    times: StageTimes
    """Of what was done so far; `Pipeline.segment` goes on with them."""


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
        ticket.check()
        segmentation = self.segment(self.read(data, max_pixels), order, ticket)
        ticket.check()
        return self.encode(segmentation, order)

    def read(self, data: bytes, max_pixels: int = MAX_PIXELS) -> Prepared:
        """An image from a stranger's bytes; `UserError` if they are none that can be read."""
        times = StageTimes()
        with self.batcher.coming():
            with times.measure("decode"):
                decoded = decode_image(data, max_pixels, UPLOAD_FORMATS)
            return self.prepare(decoded, times)

    def prepare(self, decoded: DecodedImage, times: StageTimes | None = None) -> Prepared:
        """An image that is pixels already, a frame of a video or of a camera."""
        times = StageTimes() if times is None else times
        with times.measure("preprocess"):
            batch = preprocess(decoded.pixels, self.manifest.input)
        return Prepared(decoded, batch, times)

    def segment(
        self, prepared: Prepared, order: Order, ticket: Ticket, smoothing: Smoothing | None = None
    ) -> Segmentation:
        """Class ids at the size that was ordered; with ``smoothing`` as those of the next frame of its stream."""
        decoded, batch, times = prepared.decoded, prepared.batch, prepared.times
        of_logits = partial(smoothing.of_logits, image=batch[0]) if smoothing and self.batcher.gives_logits else None
        inference = self.batcher.infer(batch, ticket, order.options.confidence, of_logits)
        times.update(queue=inference.queue_ms, inference=inference.inference_ms)
        with times.measure("postprocess"):
            ids = smoothing.of_ids(inference.ids, batch[0]) if smoothing and of_logits is None else inference.ids
            ids = _only(ids, order.options.classes, self.manifest.ignore_index)
            pixels, confidence = batch[0], inference.confidence
            if order.size == "source":
                pixels, size = decoded.pixels, decoded.pixels.shape[:2]
                ids = postprocess(ids, size)
                confidence = None if confidence is None else postprocess(confidence, size)
        return Segmentation(pixels, ids, confidence, decoded.notes, times, inference.batch)

    def encode(self, segmentation: Segmentation, order: Order) -> Encoded:
        """The answer's bytes, in the form that was ordered."""
        with segmentation.times.measure("encode"):
            body, headers = order.encode(segmentation, self.manifest, order.options)
        return Encoded(body, order.media_type, headers, segmentation.notes, segmentation.times, segmentation.batch)


def _only(ids: NDArray[np.uint8], classes: frozenset[int] | None, ignore_index: int) -> NDArray[np.uint8]:
    """``ids`` with all but ``classes`` made ``ignore_index``."""
    if classes is None:
        return ids
    table = np.full(256, ignore_index, np.uint8)
    wanted = sorted(classes)
    table[wanted] = wanted
    return np.asarray(cv2.LUT(ids, table), np.uint8)
