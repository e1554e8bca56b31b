"""From the raster to the picture that a flawless camera would take: textures, light, shadows and haze."""

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.streets.outlines import SHIFT, visible_outlines
from train.data.streets.raster import SAMPLES, Raster
from train.data.streets.scene import Scene
from train.data.streets.texturing import lit_textures

Picture = NDArray[np.float32]


def shade(scene: Scene, raster: Raster, t: int) -> Picture:
    """Frame ``t`` as RGB ``(H, W, 3)``, 0..255 and above, without noise."""
    # A Gaussian over 5 x 5 samples about every pixel's centre: anti-aliasing that stays true to the labels' grid.
    picture = np.asarray(cv2.pyrDown(lit_textures(scene, raster)), np.float32)
    surface = raster.surface[::SAMPLES, ::SAMPLES]
    inverse_depth = raster.inverse_depth[::SAMPLES, ::SAMPLES]
    clear = np.exp(-1 / (np.maximum(inverse_depth, 1e-6) * scene.light.haze_m))
    clear[scene.emits[surface]] = 1
    haze = (255 * scene.light.sky[0]).astype(np.float32)
    picture *= (_shadow(scene, surface, t) * clear)[..., None]
    picture += haze * (1 - clear)[..., None]
    return picture


def _shadow(scene: Scene, surface: NDArray[np.int32], t: int) -> Picture:
    """The light that shadows leave on the ground, ``(H, W)``; 1 on everything else."""
    shadow = np.ones(surface.shape, np.float32)
    to_pixel = scene.camera.projection(t) @ scene.light.shadow_matrix() @ scene.planes_at(t)
    for _, corners, *_ in visible_outlines(scene, to_pixel, scene.casts_shadow, scene.camera.size):
        cv2.fillPoly(shadow, [corners], scene.light.shadow, shift=SHIFT)
    shadow = np.asarray(cv2.blur(shadow, (3, 3)), np.float32)
    shadow[~(scene.ground & ~scene.emits)[surface]] = 1
    return shadow
