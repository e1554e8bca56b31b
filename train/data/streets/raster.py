"""Which surface each sample of a frame shows: outlines filled and compared by depth."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.streets.outlines import SHIFT, Box, Corners, visible_outlines
from train.data.streets.scene import Scene
from train.data.streets.street import Array

SAMPLES = 2
"""Samples a pixel and axis. Every second one, from the first, lies on a pixel's centre."""


@dataclass(frozen=True)
class Raster:
    """The samples ``(H, W)`` of one frame: the surface shown and, float32 in 1/m, its inverse depth; 0 in the sky."""

    surface: NDArray[np.int32]
    inverse_depth: NDArray[np.float32]
    to_sample: Array  # (S, 3, 3) from each surface's plane to homogeneous samples; the third coordinate is depth
    from_sample: Array  # (S, 3, 3) its inverse; the third coordinate is inverse depth. Zero where nothing is to be seen


def rasterize(scene: Scene, t: int) -> Raster:
    """Draw all surfaces at frame ``t``."""
    height, width = scene.camera.size[0] * SAMPLES, scene.camera.size[1] * SAMPLES
    to_sample = np.diag([SAMPLES, SAMPLES, 1.0]) @ scene.camera.projection(t) @ scene.planes_at(t)
    from_sample = _inverse(to_sample, scene.two_sided)
    seen = from_sample.any(axis=(1, 2))
    surface = np.zeros((height, width), np.int32)  # surface 0, the sky, is behind everything
    for index, corners, _ in visible_outlines(scene, to_sample, seen & scene.ground, (height, width)):
        cv2.fillPoly(surface, [corners], index, shift=SHIFT)
    inverse_depth = np.maximum(_affine(from_sample[scene.ground][-1, 2], (0, 0, width, height)), 0)
    raster = Raster(surface, inverse_depth, to_sample, from_sample)
    to_texel = _to_texel(scene) @ from_sample
    for index, corners, box in visible_outlines(scene, to_sample, seen & ~scene.ground, (height, width)):
        inside = _inside(corners, box)
        if scene.cutout[index]:
            inside &= _solid(scene, to_texel[index], box)
        _keep_nearest(raster, index, inside.view(np.bool_), box)
    return raster


def _inverse(to_sample: Array, two_sided: NDArray[np.bool_]) -> Array:
    """Inverses of ``(S, 3, 3)``; zero for planes seen from their edge or, unless ``two_sided``, from inside."""
    determinant = np.linalg.det(to_sample)
    seen = np.where(two_sided, np.abs(determinant), determinant) > 1e-3
    inverse = np.zeros_like(to_sample)
    inverse[seen] = np.linalg.inv(to_sample[seen])
    return inverse


def _to_texel(scene: Scene) -> Array:
    """``(S, 3, 3)`` from each surface's plane to texels of the atlas, for tiles that do not repeat over it."""
    x, y, width, height = scene.tile.T.astype(np.float64)
    place = np.zeros((len(x), 3, 3))
    place[:, 0, 0], place[:, 1, 1], place[:, 2, 2] = width, height, 1
    place[:, 0, 2], place[:, 1, 2] = x, y
    return place @ scene.to_tile


def _affine(coefficients: Array, box: Box) -> NDArray[np.float32]:
    """``a x + b y + c`` over the samples of a box."""
    x0, y0, x1, y1 = box
    a, b, c = coefficients
    rows = b * np.arange(y0, y1) + c
    return np.asarray(np.add.outer(rows, a * np.arange(x0, x1)), np.float32)


def _inside(corners: Corners, box: Box) -> NDArray[np.uint8]:
    """255 inside of an outline, over its box."""
    x0, y0, x1, y1 = box
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(inside, [corners - (x0 << SHIFT, y0 << SHIFT)], 255, shift=SHIFT)
    return inside


def _solid(scene: Scene, to_texel: Array, box: Box) -> NDArray[np.uint8]:
    """255 where a texture has no hole, over a box."""
    x0, y0, x1, y1 = box
    shifted = to_texel @ np.array([[1, 0, x0], [0, 1, y0], [0, 0, 1]])
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpPerspective(scene.atlas.solid, shifted, (x1 - x0, y1 - y0), flags=flags), np.uint8)


def _keep_nearest(raster: Raster, index: int, inside: NDArray[np.bool_], box: Box) -> None:
    """Write a surface where it is the nearest so far."""
    x0, y0, x1, y1 = box
    inverse_depth = _affine(raster.from_sample[index, 2], box)
    nearest = raster.inverse_depth[y0:y1, x0:x1]
    nearer = inverse_depth > nearest
    nearer &= inside
    np.copyto(nearest, inverse_depth, where=nearer)
    np.copyto(raster.surface[y0:y1, x0:x1], np.int32(index), where=nearer)
