"""A second frame made of a still image by a known affine motion, so that the flow between the two is exact (no torch).

Zhi et al., CIMS 2023, 29(4), train on frames of video; that a still image stands in for them is reconstructed.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.flow.field import Flow, inside
from train.data.spec import JitterSpec


def jitter(image: NDArray[np.uint8], spec: JitterSpec, rng: np.random.Generator) -> tuple[NDArray[np.uint8], Flow]:
    """The image ``(H, W, 3)`` shifted, zoomed and turned about its centre at random, and the flow to it.

    What moves in from outside is the image's own reflection, which no visible point flows to.
    """
    height, width = image.shape[:2]
    motion = _motion((width, height), spec, rng)
    moved = cv2.warpAffine(image, motion, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    displacement = np.empty((height, width, 2), np.float32)
    for axis, (along_x, along_y, shift) in enumerate(motion - np.eye(2, 3)):
        displacement[..., axis] = along_x * np.arange(width) + (along_y * np.arange(height) + shift)[:, None]
    return np.asarray(moved, np.uint8), Flow(displacement, inside(displacement))


def _motion(size: tuple[int, int], spec: JitterSpec, rng: np.random.Generator) -> NDArray[np.float64]:
    """``(2, 3)`` from pixels ``(x, y, 1)`` of the image to those of the moved one."""
    centre = (np.array(size) - 1) / 2
    shift = rng.uniform(-spec.shift, spec.shift, 2) * size
    zoom = 1 + rng.uniform(-spec.zoom, spec.zoom)
    angle = np.radians(rng.uniform(-spec.turn, spec.turn))
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([linear, centre + shift - linear @ centre])
