"""A stream's class maps, kept from flickering; without optical flow.

What was compared, and how it scored: ``python -m tests.smoothing.compare``, table in `serve/live/README.md`.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from serve.engines.class_map import class_map

_LONGEST_MEAN = 0.9  # share of the past at full strength
_SHORTEST_DOUBT, _LONGEST_DOUBT = 0.5, 0.9  # a change is shown with its second frame at least, its seventh at most
_HALF = 127.5  # of the 255 that OpenCV writes where two maps differ
_MOVED_LOGITS, _MOVED_IDS = (
    16,
    4,
)  # grey levels from frame to frame: there something else is seen, and the past is wrong


class Smoothing:
    """Keeps what was seen before where the picture is the same. One object for each stream, its frames in their order.

    Args:
        strength: above 0, to 1: how much the past weighs. A frame of another size begins anew.
    """

    def __init__(self, strength: float) -> None:
        self._mean_weight = _LONGEST_MEAN * strength
        self._doubt_weight = _SHORTEST_DOUBT + (_LONGEST_DOUBT - _SHORTEST_DOUBT) * strength
        self._mean: NDArray[np.float32] | None = None
        self._shown: NDArray[np.uint8] | None = None
        self._doubt = np.empty(0, np.float32)
        self._grey: NDArray[np.uint8] | None = None

    def of_logits(self, logits: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The class ids ``(H, W)`` of a running mean of ``logits`` ``(C, H / s, W / s)``; RGB ``(H, W, 3)``."""
        moved = self._moved(image, logits.shape[1:], _MOVED_LOGITS)
        if self._mean is None or moved is None or self._mean.shape != logits.shape:
            self._mean = logits.copy()
        else:  # logits + weight * (mean - logits)
            self._mean -= logits
            self._mean *= np.where(moved, np.float32(0), np.float32(self._mean_weight))
            self._mean += logits
        return class_map(self._mean, image.shape[0] // logits.shape[1])

    def of_ids(self, ids: NDArray[np.uint8], image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Where there are no logits: a class ``(H, W)`` is shown when the network has meant it for long enough.

        At each pixel a mean of how often the network differed from what is shown: over one half, its class is shown.
        """
        moved = self._moved(image, ids.shape, _MOVED_IDS)
        if self._shown is None or moved is None or self._shown.shape != ids.shape:
            self._shown, self._doubt = ids.copy(), np.zeros(ids.shape, np.float32)
            return ids
        cv2.accumulateWeighted(cv2.compare(ids, self._shown, cv2.CMP_NE), self._doubt, 1 - self._doubt_weight)
        changes = (self._doubt > _HALF) | moved
        np.copyto(self._shown, ids, where=changes)
        self._doubt[changes] = 0
        return np.array(self._shown)

    def _moved(self, image: NDArray[np.uint8], size: tuple[int, ...], threshold: int) -> NDArray[np.bool_] | None:
        """Where another thing is seen than in the frame before, ``size`` ``(h, w)``; None: there is none before."""
        grey = cv2.cvtColor(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        grey = cv2.blur(grey, (3, 3))  # noise of the camera is no movement
        before, self._grey = self._grey, np.asarray(grey, np.uint8)
        if before is None or before.shape != grey.shape:
            return None
        return np.asarray(cv2.absdiff(grey, before) > threshold)
