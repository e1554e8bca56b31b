"""A clip: frames with labels, and the exact flow between any two of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.flow import Flow
from train.data.resize import Size
from train.data.streets.flow import flow_between
from train.data.streets.layout import build_scene
from train.data.streets.raster import SAMPLES, Raster, rasterize
from train.data.streets.sensor import expose
from train.data.streets.shading import shade

FRAMES = 64
"""Frames of a clip: 0 .. 63."""

FRAMES_PER_S = 16.0
"""A clip is four seconds of driving."""


@dataclass(frozen=True)
class Frame:
    """``image`` ``(H, W, 3)`` uint8 RGB and ``label`` ``(H, W)`` uint8 class ids; every pixel has a class."""

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]


class Clip:
    """A drive of `FRAMES` frames along a street that follows from ``seed`` alone.

    The same seed, size and frame give the same bits in any process and in any order of calls.

    Args:
        seed: not negative; each seed is another street, weather, traffic and camera.
        size: ``(height, width)`` of the frames in pixels. Another size shows the same street.
    """

    def __init__(self, seed: int, size: Size = (192, 256)) -> None:
        self.seed = seed
        self.size = size
        self._scene = build_scene(seed, size)

    def frame(self, t: int) -> Frame:
        """Frame ``t``, 0 <= t < `FRAMES`; `ValueError` outside."""
        raster = self._raster(t)
        picture = shade(self._scene, raster, t)
        image = expose(picture, self._scene.light, np.random.default_rng([self.seed, t]))
        return Frame(image, self._scene.label[raster.surface[::SAMPLES, ::SAMPLES]])

    def flow(self, t: int, k: int) -> Flow:
        """The flow from frame ``t`` to frame ``t + k``; ``k`` may be negative. `ValueError` outside of the clip."""
        return flow_between(self._raster(t), self._raster(t + k), self._scene.label)

    def _raster(self, t: int) -> Raster:
        if not 0 <= t < FRAMES:
            raise ValueError(f"frame {t} is outside of the clip: choose 0 .. {FRAMES - 1}")
        return rasterize(self._scene, t)
