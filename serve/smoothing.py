"""A stream's class maps, kept from flickering; without optical flow."""

import cv2
import numpy as np
from numpy.typing import NDArray

_HALF = 127.5  # of the 255 that OpenCV writes where two maps differ


class Smoothing:
    """Lets a pixel change its class when the network has meant it for long enough. One object for each stream.

    At each pixel a mean of how often the network differed from what is shown, in which a frame counts ``strength``
    times as much as the one after it. Where it comes over one half, the new class is shown.

    Args:
        strength: 0 (every change is shown at once) to below 1. Up to 0.5 a change is shown with its second frame, at
            0.7 too, with 0.8 after four frames, with 0.9 after seven.
    """

    def __init__(self, strength: float) -> None:
        self._strength = strength
        self._shown: NDArray[np.uint8] | None = None
        self._differed = np.empty(0, np.float32)

    def __call__(self, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The ids ``(h, w)`` to show of the next frame. Another size begins a new stream."""
        if self._shown is None or self._shown.shape != ids.shape:
            self._shown, self._differed = ids.copy(), np.zeros(ids.shape, np.float32)
            return ids
        cv2.accumulateWeighted(cv2.compare(ids, self._shown, cv2.CMP_NE), self._differed, 1 - self._strength)
        changes = self._differed > _HALF
        np.copyto(self._shown, ids, where=changes)
        self._differed[changes] = 0
        return np.array(self._shown)
