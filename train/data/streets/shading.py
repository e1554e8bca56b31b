"""From the raster to a picture: textures, light, shadows, haze, and what lens and sensor add."""

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.streets.atlas import LEVELS
from train.data.streets.outlines import SHIFT, visible_outlines
from train.data.streets.raster import SAMPLES, Raster
from train.data.streets.scene import Scene

Picture = NDArray[np.float32]


def shade(scene: Scene, raster: Raster, t: int) -> Picture:
    """What a lens without flaws shows of frame ``t``: RGB ``(H, W, 3)``, 0..255 and above, no noise."""
    index = raster.surface.astype(np.intp)
    colour = _texture(scene, raster, index)
    colour *= np.take(scene.colour, index, axis=0)
    # A Gaussian over 5 x 5 samples about every pixel's centre: anti-aliasing that stays true to the labels' grid.
    picture = np.asarray(cv2.pyrDown(colour), np.float32)
    surface = raster.surface[::SAMPLES, ::SAMPLES]
    picture *= _shadow(scene, surface, t)[..., None]
    clear = np.exp(-1 / (np.maximum(raster.inverse_depth[::SAMPLES, ::SAMPLES], 1e-6) * scene.light.haze_m))
    clear[scene.emits[surface]] = 1
    haze = (255 * scene.light.sky[0]).astype(np.float32)
    return np.asarray((picture - haze) * clear[..., None] + haze)


def expose(picture: Picture, scene: Scene, rng: np.random.Generator) -> NDArray[np.uint8]:
    """What the camera makes of a picture: RGB ``(H, W, 3)``."""
    light = scene.light
    if light.blur > 0.3:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), light.blur), np.float32)
    picture = picture * (_vignette(scene)[..., None] * (light.exposure * light.cast / 255).astype(np.float32))
    np.clip(picture, 0, 1, out=picture)
    picture **= light.gamma
    deviation = np.sqrt(light.read_noise**2 + light.shot_noise**2 * picture)
    noisy = 255 * picture + deviation * rng.standard_normal(picture.shape, np.float32)
    return np.asarray(np.clip(noisy + 0.5, 0, 255), np.uint8)


def _texture(scene: Scene, raster: Raster, index: NDArray[np.intp]) -> Picture:
    """Bilinear texture reads ``(H, W, 3)`` at the level of detail that the sample's footprint asks for."""
    to_tile = scene.to_tile @ raster.from_sample
    u, v, w = (_affine(row, index) for row in to_tile.astype(np.float32).transpose(1, 2, 0))
    np.maximum(w, 1e-6, out=w)
    # The Jacobian of a homography with determinant det is det / w^3: the footprint of a sample, here in texels.
    texels = np.abs(np.linalg.det(to_tile)) * scene.tile[:, 2] * scene.tile[:, 3]
    detail = (0.5 * np.log2(np.maximum(texels, 1e-30)) + 0.25).astype(np.float32)
    level = np.clip(np.take(detail, index) - 1.5 * np.log2(w), 0, LEVELS - 1).astype(np.intp)
    scale = np.take(np.exp2(-np.arange(LEVELS)).astype(np.float32), level)
    x, y, width, height = (np.take(column, index) for column in scene.tile.T)
    u /= w
    v /= w
    # A tile repeats. Level n's texel 0 covers texels 0 .. 2^n - 1 of level 0, and a texel's centre lies at its half.
    map_x = ((u - np.floor(u)) * width + x + 0.5) * scale - 0.5 + np.take(scene.atlas.offsets, level)
    map_y = ((v - np.floor(v)) * height + y + 0.5) * scale - 0.5
    return cv2.remap(scene.atlas.pyramid, map_x, map_y, cv2.INTER_LINEAR).astype(np.float32)


def _affine(coefficients: NDArray[np.float32], index: NDArray[np.intp]) -> NDArray[np.float32]:
    """``a x + b y + c`` at every sample, with the coefficients of the surface that it shows."""
    a, b, c = (np.take(coefficient, index) for coefficient in coefficients)
    a *= np.arange(index.shape[1], dtype=np.float32)
    b *= np.arange(index.shape[0], dtype=np.float32)[:, None]
    a += b
    a += c
    return a


def _shadow(scene: Scene, surface: NDArray[np.int32], t: int) -> Picture:
    """The light that shadows leave on the ground, ``(H, W)``; 1 on everything else."""
    on_ground = scene.light.shadow_matrix() @ scene.planes_at(t)
    shadow = np.ones(surface.shape, np.float32)
    to_pixel = scene.camera.projection(t) @ on_ground
    for _, corners, _ in visible_outlines(scene, to_pixel, scene.casts_shadow, scene.camera.size):
        cv2.fillPoly(shadow, [corners], scene.light.shadow, shift=SHIFT)
    shadow = np.asarray(cv2.blur(shadow, (3, 3)), np.float32)
    shadow[~(scene.ground & ~scene.emits)[surface]] = 1
    return shadow


def _vignette(scene: Scene) -> Picture:
    height, width = scene.camera.size
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    return np.asarray(1 - scene.light.vignette / 2 * (x * x + y * y), np.float32)
