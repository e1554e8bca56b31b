"""Exact optical flow: each pixel follows its surface by the projections of the two frames; nothing is estimated."""

import numpy as np
from numpy.typing import NDArray

from train.data.flow.field import Flow
from train.data.streets.raster import SAMPLES, Raster

_SAME_DEPTH = 0.02  # relative: nearer together than any two parts of the scene that hide each other
_AWAY = -1e9  # stands for the place of points that are behind the camera


def flow_between(now: Raster, then: Raster, labels: NDArray[np.uint8]) -> Flow:
    """The flow between two rasters of one scene, whose surfaces have these ``labels`` ``(S,)``.

    Visible: the point is in the second frame and not occluded; the pixel nearest to it shows its surface, or one that
    adjoins it with the same class. Elsewhere the displacement is as exact; points behind the camera have none, it is 0.
    """
    surface = now.surface[::SAMPLES, ::SAMPLES]
    # From samples at t to the plane of the surface to samples at t + k: one homography a surface.
    homography = (then.to_sample @ now.from_sample).transpose(1, 2, 0)
    y, x = (SAMPLES * axis.astype(np.float64) for axis in np.indices(surface.shape))
    to_x, to_y, depth_ratio = (row[0][surface] * x + row[1][surface] * y + row[2][surface] for row in homography)
    ahead = depth_ratio > 0
    to_x = np.divide(to_x, depth_ratio, out=np.full_like(x, _AWAY), where=ahead)
    to_y = np.divide(to_y, depth_ratio, out=np.full_like(y, _AWAY), where=ahead)
    displacement = np.where(ahead[..., None], np.stack([to_x - x, to_y - y], axis=-1) / SAMPLES, 0)

    height, width = surface.shape
    column, row = np.round(to_x / SAMPLES).astype(int), np.round(to_y / SAMPLES).astype(int)
    in_frame = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    nearest = SAMPLES * row[in_frame], SAMPLES * column[in_frame]
    own, shown = surface[in_frame], then.surface[nearest]
    # Inverse depth at t + k times depth at t + k, times the inverse depth at t: sky, at infinity, divides by nothing.
    before = now.inverse_depth[::SAMPLES, ::SAMPLES][in_frame]
    mismatch = np.abs(then.inverse_depth[nearest] * depth_ratio[in_frame] - before)
    adjoins = (labels[own] == labels[shown]) & (mismatch < _SAME_DEPTH * before)
    visible = np.zeros_like(in_frame)
    visible[in_frame] = (own == shown) | adjoins
    return Flow(displacement.astype(np.float32), visible)
