"""A flow field, and what is done with one (no torch)."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.resize import Size

Displacement = NDArray[np.float32]
"""``(H, W, 2)``: x and y in pixels from a pixel of the first frame to its point's place in the second."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Flow:
    """Where the points of one frame stand in another.

    ``displacement`` ``(H, W, 2)`` float32, x and y in pixels: the point at p in the first frame stands at
    p + displacement(p) in the second. ``visible`` ``(H, W)``: the displacement is known, the point is inside of the
    second frame and, as far as that can be known, nothing hides it there. Elsewhere the displacement is finite, but of
    no use for comparing pixels.
    """

    displacement: Displacement
    visible: Mask


def inside(displacement: Displacement) -> Mask:
    """``(H, W)``: where the displacement ends between the pixel centres of a frame of the same size."""
    x, y = _targets(displacement)
    height, width = displacement.shape[:2]
    return np.asarray((x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1))


def warp(values: NDArray[np.float32], displacement: Displacement) -> NDArray[np.float32]:
    """``values`` ``(H, W)`` or ``(H, W, D)`` of the second frame brought back to the first, bilinearly; 0 outside."""
    x, y = _targets(displacement)
    return np.asarray(cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT), np.float32)


def warp_ids(ids: NDArray[np.uint8], displacement: Displacement) -> NDArray[np.uint8]:
    """Class ids ``(H, W)`` of the second frame brought back to the first by the nearest pixel: no new id appears.

    Outside of the second frame its border is repeated; `Flow.visible` tells where.
    """
    height, width = ids.shape
    x, y = (np.rint(target).astype(np.intp) for target in _targets(displacement))
    return np.asarray(ids[y.clip(0, height - 1), x.clip(0, width - 1)])


def no_flow(size: Size) -> Flow:
    """Nothing moves."""
    return Flow(np.zeros((*size, 2), np.float32), np.ones(size, np.bool_))


def _targets(displacement: Displacement) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    height, width = displacement.shape[:2]
    x = displacement[..., 0] + np.arange(width, dtype=np.float32)
    y = displacement[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(x, np.float32), np.asarray(y, np.float32)
