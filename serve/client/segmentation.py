"""A segmented image, as the client gives it."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serve.answers.arrays import DTYPE_HEADER, SHAPE_HEADER
from serve.client.answer import Answer
from serve.client.image import Image, decode
from serve.client.problem import ServerProblem
from serve.client.served_model import ServedModel
from train.data.palette import overlay
from train.data.resize import resize_image


@dataclass(frozen=True)
class Segmentation:
    """Class ids uint8 ``(H, W)``, and what goes with them."""

    ids: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None
    """255 times the softmax probability of each pixel's class ``(H, W)``; None where not asked for."""
    model: ServedModel
    notes: list[str]
    """What the server had to do to the image, e.g. 'converted from greyscale'."""
    timings_ms: dict[str, float]
    """Milliseconds in the server, by stage."""
    request_id: str | None
    """Names the request in the server's log too."""
    image: Image = field(repr=False)
    """What was segmented."""

    @property
    def shares(self) -> dict[str, float]:
        """Of all pixels, 0..1, of each class that is present, by name, the largest first."""
        pixels = np.bincount(self.ids.ravel(), minlength=256)[: len(self.model.classes)]
        order = [index for index in np.argsort(-pixels, kind="stable") if pixels[index]]
        return {self.model.classes[index]: float(pixels[index] / self.ids.size) for index in order}

    def overlay(self, alpha: float = 0.5) -> NDArray[np.uint8]:
        """RGB ``(H, W, 3)``: the classes' colours over the image; ``alpha`` 1 hides the image."""
        height, width = self.ids.shape
        return overlay(resize_image(decode(self.image), (height, width)), self.ids, self.model.palette, alpha)


def segmentation_of(answer: Answer, model: ServedModel, image: Image) -> Segmentation:
    """Read an answer in ``application/octet-stream``.

    Raises:
        ServerProblem: it is something else.
    """
    planes = _planes(answer)
    return Segmentation(
        ids=planes[0],
        confidence=planes[1] if len(planes) > 1 else None,
        model=model,
        notes=answer.notes,
        timings_ms=answer.timings_ms,
        request_id=answer.request_id,
        image=image,
    )


def _planes(answer: Answer) -> NDArray[np.uint8]:
    """Class ids, and the confidence where it was asked for: ``(1, H, W)`` or ``(2, H, W)``."""
    try:
        height, width = (int(side) for side in answer.headers[SHAPE_HEADER].split(",")[-2:])
        if answer.headers[DTYPE_HEADER] != "uint8":
            raise ValueError(answer.headers[DTYPE_HEADER])
        return np.frombuffer(answer.body, np.uint8).reshape(-1, height, width)
    except (KeyError, ValueError):
        detail = f"the answer ({answer.media_type or 'of no type'}) is no class map: is this a server of segdistill?"
        raise ServerProblem(200, "about:blank", detail, answer.request_id) from None
