"""What a segmented image is, what a client may ask of its answer, and the answer."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serve.timing import StageTimes


@dataclass(frozen=True)
class Segmentation:
    """An upright RGB image ``(H, W, 3)``, its class ids and their confidence ``(H, W)``, and how they came about."""

    image: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    confidence: NDArray[np.uint8] | None
    """255 times the softmax probability of the class given; None where not asked for."""
    notes: list[str]
    times: StageTimes
    batch: int = 1
    """Images that the network saw together."""


@dataclass(frozen=True)
class AnswerOptions:
    """What a client asks for besides the media type."""

    overlay: bool = False
    """The classes' colours over the image, in place of the class map."""
    confidence: bool = False
    classes: frozenset[int] | None = None
    """The classes of interest, None: all. Pixels of others have the manifest's ``ignore_index`` before encoding."""
    tolerance: float = 1.0
    """Of polygons: the largest distance of a simplified outline from the true one, in pixels."""


@dataclass(frozen=True)
class Encoded:
    """An answer's bytes, and what goes with them."""

    body: bytes
    media_type: str
    headers: dict[str, str]
    notes: list[str]
    times: StageTimes
    batch: int = 1
