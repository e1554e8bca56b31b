"""The one resize between a picture and a network, and the way back.

Training, evaluation, verification, calibration and serving all call these two functions, so a network never sees
pixels in production that were made in another way than those it was scored on.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]
"""``(height, width)`` in pixels."""


def resize_image(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """RGB ``(H, W, 3)`` to ``(*size, 3)``: area average when no side grows, bilinear otherwise."""
    if image.shape[:2] == size:
        return image
    shrinks = size[0] <= image.shape[0] and size[1] <= image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=interpolation), np.uint8)


def resize_ids(ids: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Class ids ``(H, W)`` to ``size`` by the nearest pixel centre; no id appears that was not there."""
    if ids.shape == size:
        return ids
    return np.asarray(cv2.resize(ids, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def resize_confidence(confidence: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Confidence ``(H, W)`` to ``size`` as `resize_ids` does it: each pixel keeps that of the id it gets."""
    if confidence.shape == size:
        return confidence
    resized = cv2.resize(confidence, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT)
    return np.asarray(resized, np.float32)
