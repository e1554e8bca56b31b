"""Two frames of a clip, and what gives the flow between them (no torch)."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from train.data.dataset import FramePlace
from train.data.flow.field import Flow


class FramePair(NamedTuple):
    """Two frames of one clip, RGB ``(H, W, 3)`` each, the second ``gap`` frames after the first; negative: before."""

    now: NDArray[np.uint8]
    then: NDArray[np.uint8]
    name: str
    """Of the first frame."""
    place: FramePlace
    gap: int


class FlowProvider(Protocol):
    """Gives the flow from the first frame of a pair to the second; `UserError` if it cannot."""

    def __call__(self, pair: FramePair) -> Flow: ...
