"""Colours and rough base textures, which everything in the street is painted on."""

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.streets.noise import noise

RGB = tuple[float, float, float]
Texture = NDArray[np.uint8]

GREYS: tuple[RGB, ...] = ((60, 60, 62), (95, 95, 98), (130, 130, 130), (160, 160, 158), (195, 195, 192))
"""Asphalt, concrete, metal, plaster, cloth: every class has some of them."""


def vary(rng: np.random.Generator, colour: RGB, amount: float = 12.0) -> RGB:
    """A colour near ``colour``, 0..255: brighter or darker by ``amount``, and by a third of it in hue."""
    shift = rng.normal(0, amount) + rng.normal(0, amount / 3, 3)
    red, green, blue = np.clip(np.asarray(colour) + shift, 4, 250)
    return float(red), float(green), float(blue)


def choose(rng: np.random.Generator, colours: tuple[RGB, ...], amount: float = 12.0) -> RGB:
    """One of ``colours``, varied."""
    return vary(rng, colours[rng.integers(len(colours))], amount)


def rough(
    rng: np.random.Generator, size: tuple[int, int], colour: RGB, grain: float = 0.06, patches: float = 0.06
) -> Texture:
    """A tileable texture ``(*size, 3)`` of one colour with fine and coarse variations, as shares of the colour."""
    relief = 1 + grain * noise(rng, size, "grain") + patches * noise(rng, size, "patches")
    channels = [np.clip(relief * value, 0, 255).astype(np.uint8) for value in colour]
    return np.asarray(cv2.merge(channels), np.uint8)
