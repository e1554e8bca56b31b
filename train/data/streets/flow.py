"""Exact optical flow: each pixel follows its surface by the projection of the two frames, nothing is estimated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.streets.raster import SAMPLES, Raster


@dataclass(frozen=True)
class Flow:
    """Where the surface points of frame ``t`` stand at ``t + k``.

    ``displacement`` ``(H, W, 2)`` float32: x and y in pixels from a pixel at ``t`` to its surface point's place at
    ``t + k``. ``visible`` ``(H, W)``: the point is in the frame at ``t + k`` and the pixel nearest to it shows the
    same surface, so that it is not occluded.
    """

    displacement: NDArray[np.float32]
    visible: NDArray[np.bool_]


def flow_between(now: Raster, then: Raster) -> Flow:
    """The flow between two rasters of one scene."""
    surface = now.surface[::SAMPLES, ::SAMPLES]
    # From samples at t to the plane of the surface to samples at t + k: one homography a surface.
    homography = then.to_sample @ now.from_sample
    y, x = (SAMPLES * axis.astype(np.float64) for axis in np.indices(surface.shape))
    row_x, row_y, depth = (
        row[0][surface] * x + row[1][surface] * y + row[2][surface] for row in homography.transpose(1, 2, 0)
    )
    before_camera = depth > 0
    depth[~before_camera] = np.nan
    target_x, target_y = row_x / depth, row_y / depth
    displacement = np.stack([target_x - x, target_y - y], axis=-1) / SAMPLES
    displacement[~before_camera] = 0
    visible = before_camera & _shows(then, target_x / SAMPLES, target_y / SAMPLES, surface)
    return Flow(displacement.astype(np.float32), visible)


def _shows(
    raster: Raster, x: NDArray[np.float64], y: NDArray[np.float64], surface: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Whether the pixel nearest to ``x``, ``y`` shows ``surface``; not outside of the frame."""
    shown = raster.surface[::SAMPLES, ::SAMPLES]
    height, width = shown.shape
    with np.errstate(invalid="ignore"):
        inside = (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    column = np.round(np.where(inside, x, 0)).astype(np.intp)
    row = np.round(np.where(inside, y, 0)).astype(np.intp)
    found: NDArray[np.bool_] = inside & (shown[row, column] == surface)
    return found
