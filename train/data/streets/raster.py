"""Which surface each sample of a frame shows: outlines filled and compared by depth."""

from dataclasses import dataclass
from operator import attrgetter

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.streets.outlines import SHIFT, Box, Outline, visible_outlines
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
    seen = np.asarray(from_sample.any(axis=(1, 2)))
    surface = np.zeros((height, width), np.int32)  # surface 0, the sky, is behind everything
    inverse_depth = np.maximum(_affine(from_sample[scene.ground][-1, 2], (0, 0, width, height)), 0)
    raster = Raster(surface, inverse_depth, to_sample, from_sample)
    standing = []
    for outline in visible_outlines(scene, to_sample, seen, (height, width)):
        if scene.ground[outline.surface]:
            cv2.fillPoly(surface, [outline.corners], outline.surface, shift=SHIFT)
        else:
            standing.append(outline)
    for outline in sorted(standing, key=attrgetter("nearest_m")):
        if not _hidden(raster, outline):
            inside = _inside(outline)
            if scene.cutout[outline.surface]:
                inside &= _solid(raster, scene, outline)
            _keep_nearest(raster, outline, inside.view(np.bool_))
    return raster


def _inverse(to_sample: Array, two_sided: NDArray[np.bool_]) -> Array:
    """Inverses of ``(S, 3, 3)``; zero for planes seen from their edge or, unless ``two_sided``, from inside."""
    determinant = np.linalg.det(to_sample)
    seen = np.where(two_sided, np.abs(determinant), determinant) > 1e-3
    inverse = np.zeros_like(to_sample)
    inverse[seen] = np.linalg.inv(to_sample[seen])
    return inverse


def _affine(coefficients: Array, box: Box) -> NDArray[np.float32]:
    """``a x + b y + c`` over the samples of a box."""
    x0, y0, x1, y1 = box
    a, b, c = coefficients.tolist()
    rows = np.arange(y0, y1, dtype=np.float32) * b + c
    return np.asarray(rows[:, None] + np.arange(x0, x1, dtype=np.float32) * a, np.float32)


def _hidden(raster: Raster, outline: Outline) -> bool:
    """Whether all of an outline's box shows nearer surfaces: in a street, this spares half of the work."""
    x0, y0, x1, y1 = outline.box
    return bool(raster.inverse_depth[y0:y1, x0:x1].min() * outline.nearest_m >= 1)


def _inside(outline: Outline) -> NDArray[np.uint8]:
    """255 inside of an outline, over its box."""
    x0, y0, x1, y1 = outline.box
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(inside, [outline.corners], 255, shift=SHIFT, offset=(-x0 << SHIFT, -y0 << SHIFT))
    return inside


def _solid(raster: Raster, scene: Scene, outline: Outline) -> NDArray[np.uint8]:
    """255 where the surface's texture has no hole, over an outline's box."""
    x0, y0, x1, y1 = outline.box
    x, y, width, height = scene.tile[outline.surface].astype(int).tolist()
    from_box = raster.from_sample[outline.surface] @ np.array([[1, 0, x0], [0, 1, y0], [0, 0, 1]])
    to_texel = np.diag([width, height, 1.0]) @ scene.to_tile[outline.surface] @ from_box
    tile = scene.atlas.solid[y : y + height, x : x + width]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    solid = cv2.warpPerspective(tile, to_texel, (x1 - x0, y1 - y0), flags=flags, borderMode=cv2.BORDER_WRAP)
    return np.asarray(cv2.threshold(solid, 127, 255, cv2.THRESH_BINARY)[1], np.uint8)


def _keep_nearest(raster: Raster, outline: Outline, inside: NDArray[np.bool_]) -> None:
    """Write a surface where it is the nearest so far."""
    x0, y0, x1, y1 = outline.box
    inverse_depth = _affine(raster.from_sample[outline.surface, 2], outline.box)
    nearest = raster.inverse_depth[y0:y1, x0:x1]
    nearer = inverse_depth > nearest
    nearer &= inside
    np.copyto(nearest, inverse_depth, where=nearer)
    np.copyto(raster.surface[y0:y1, x0:x1], np.int32(outline.surface), where=nearer)
