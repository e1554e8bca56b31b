"""Reads the atlas for every sample of a raster: a mip-mapped, perspective texture look-up."""

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.streets.atlas import LEVELS
from train.data.streets.raster import Raster
from train.data.streets.scene import Scene

Samples = NDArray[np.float32]

_BAND = 32  # rows at a time: the intermediate arrays stay in the cache


def lit_textures(scene: Scene, raster: Raster) -> Samples:
    """Texture times light of each sample, RGB ``(H, W, 3)``, 0..255 and above."""
    to_tile = scene.to_tile @ raster.from_sample
    detail = _detail(scene, to_tile)
    coefficients = to_tile.astype(np.float32).transpose(1, 2, 0)
    colours = np.empty((*raster.surface.shape, 3), np.float32)
    for top in range(0, len(colours), _BAND):
        index = raster.surface[top : top + _BAND].astype(np.intp)
        u, v, w = (_affine(row, index, top) for row in coefficients)
        np.maximum(w, 1e-6, out=w)
        level = np.clip(np.take(detail, index) - 1.5 * np.log2(w), 0, LEVELS - 1).astype(np.intp)
        texels = _read(scene, u / w, v / w, level, index)
        np.multiply(texels, np.take(scene.colour, index, axis=0), out=colours[top : top + _BAND])
    return colours


def _detail(scene: Scene, to_tile: NDArray[np.float64]) -> Samples:
    """``(S,)``: the mip level of each surface, less 1.5 times the logarithm of the inverse depth.

    The Jacobian of a homography with determinant d is d / w^3. Its root is the side of a sample's footprint.
    """
    texels = np.abs(np.linalg.det(to_tile)) * scene.tile[:, 2] * scene.tile[:, 3]
    return np.asarray(0.5 * np.log2(np.maximum(texels, 1e-30)) + 0.25, np.float32)


def _affine(coefficients: Samples, index: NDArray[np.intp], top: int) -> Samples:
    """``a x + b y + c`` at samples, the first in row ``top``, with the coefficients of the surface that each shows."""
    a, b, c = (np.take(coefficient, index) for coefficient in coefficients)
    a *= np.arange(index.shape[1], dtype=np.float32)
    b *= np.arange(top, top + index.shape[0], dtype=np.float32)[:, None]
    a += b
    a += c
    return a


def _read(scene: Scene, u: Samples, v: Samples, level: NDArray[np.intp], index: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Bilinear reads at tile coordinates, of which the fractions count: tiles repeat."""
    x, y, width, height = (np.take(column, index) for column in scene.tile.T)
    scale = np.take(np.exp2(-np.arange(LEVELS)).astype(np.float32), level)
    # Texel 0 of level n covers texels 0 .. 2^n - 1 of level 0, and a texel's centre lies at its half.
    map_x = ((u - np.floor(u)) * width + x + 0.5) * scale - 0.5 + np.take(scene.atlas.offsets, level)
    map_y = ((v - np.floor(v)) * height + y + 0.5) * scale - 0.5
    return np.asarray(cv2.remap(scene.atlas.pyramid, map_x, map_y, cv2.INTER_LINEAR), np.uint8)
