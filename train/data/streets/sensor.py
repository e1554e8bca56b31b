"""What lens and sensor make of a picture: blur, vignetting, exposure, colour cast, contrast and noise."""

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.streets.light import Light
from train.data.streets.shading import Picture

_NO_BLUR = 0.3  # pixels: a Gaussian this narrow is one tap


def expose(picture: Picture, light: Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The image ``(H, W, 3)`` of a picture of the same shape; ``rng`` makes its noise."""
    if light.blur > _NO_BLUR:
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), light.blur), np.float32)
    gain = (light.exposure * light.cast / 255).astype(np.float32)
    image = np.clip(picture * (_vignette(picture, light)[..., None] * gain), 0, 1)
    image **= light.gamma
    deviation = np.sqrt(light.read_noise**2 + light.shot_noise**2 * image)
    image = 255 * image + deviation * rng.standard_normal(image.shape, np.float32)
    return np.asarray(np.clip(image + 0.5, 0, 255), np.uint8)


def _vignette(picture: Picture, light: Light) -> NDArray[np.float32]:
    height, width = picture.shape[:2]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)
    return np.asarray(1 - light.vignette / 2 * (x * x + y * y), np.float32)
