"""Low-resolution logits to class ids on the CPU, without the full-size logits of all classes.

A running maximum over the classes, strip by strip, each strip small enough for the processor's cache. Upsampling and
then argmax, as the graph itself does it, writes and reads ``C * H * W`` floats in main memory: 160 MB for 19 classes of
1024 x 2048.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

_STRIP_PIXELS = 1 << 17  # 0.5 MB of floats; three such planes and two of bytes lie in a core's own cache


def class_map(logits: NDArray[np.float32], scale: int) -> NDArray[np.uint8]:
    """The largest of ``logits`` ``(C, h, w)``, C <= 256, upsampled bilinearly with aligned pixel centres.

    Returns:
        Class ids ``(scale * h, scale * w)``; of equal logits the first class, as `numpy.argmax`.
    """
    _, height, width = logits.shape
    ids = np.empty((scale * height, scale * width), np.uint8)
    rows = max(1, _STRIP_PIXELS // (scale * scale * width))
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        _strip(logits, scale, top, bottom, ids[scale * top : scale * bottom])
    return ids


def _strip(logits: NDArray[np.float32], scale: int, top: int, bottom: int, ids: NDArray[np.uint8]) -> None:
    """The ids of the low-resolution rows ``top`` to ``bottom``. One row on either side bends the interpolation."""
    before, after = min(1, top), min(1, logits.shape[1] - bottom)
    planes = logits[:, top - before : bottom + after]
    size = (scale * planes.shape[2], scale * planes.shape[1])
    inner = slice(scale * before, size[1] - scale * after)
    largest = cv2.resize(planes[0], size, interpolation=cv2.INTER_LINEAR)[inner]
    plane, larger, index = np.empty(size[::-1], np.float32), np.empty_like(ids), np.empty_like(ids)
    ids.fill(0)
    for number in range(1, len(planes)):
        cv2.resize(planes[number], size, dst=plane, interpolation=cv2.INTER_LINEAR)
        cv2.compare(plane[inner], largest, cv2.CMP_GT, larger)
        cv2.max(largest, plane[inner], largest)
        index.fill(number)
        cv2.copyTo(index, larger, ids)
