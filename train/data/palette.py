"""Colours for class ids: palettes, colour maps and overlays (no torch)."""

import cv2
import numpy as np
from numpy.typing import NDArray

IGNORE_INDEX = 255
"""The label of pixels that belong to no class. They count in no loss and in no metric."""

Colour = tuple[int, int, int]


def default_palette(classes: int) -> list[Colour]:
    """The PASCAL VOC colour map without its black first entry: distinct colours for up to 255 classes."""
    return [_voc_colour(index) for index in range(1, classes + 1)]


def colorize(ids: NDArray[np.uint8], palette: list[Colour]) -> NDArray[np.uint8]:
    """Class ids ``(H, W)`` to RGB ``(H, W, 3)``; ids without a colour (ignore) are black."""
    return np.asarray(cv2.applyColorMap(ids, _lookup_table(palette)[:, None]), np.uint8)


def overlay(
    image: NDArray[np.uint8], ids: NDArray[np.uint8], palette: list[Colour], alpha: float = 0.5
) -> NDArray[np.uint8]:
    """Blend the colours of ``ids`` ``(H, W)`` over ``image`` ``(H, W, 3)``; ``alpha`` 1 hides the image.

    Ignored pixels keep the image.
    """
    blended = cv2.addWeighted(image, 1 - alpha, colorize(ids, palette), alpha, 0)
    ignored = (ids >= len(palette)).view(np.uint8)
    return np.asarray(cv2.copyTo(image, ignored, blended), np.uint8)


def _lookup_table(palette: list[Colour]) -> NDArray[np.uint8]:
    table = np.zeros((256, 3), np.uint8)
    table[: len(palette)] = palette
    return table


def _voc_colour(index: int) -> Colour:
    channels = [0, 0, 0]
    for bit in range(8):
        for channel in range(3):
            channels[channel] |= ((index >> channel) & 1) << (7 - bit)
        index >>= 3
    return channels[0], channels[1], channels[2]
