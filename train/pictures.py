"""Predictions as pictures to look at: a photograph and what was seen in it, side by side (no torch)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from train.data.palette import Colour, overlay
from train.data.resize import resize_image

ALPHA = 0.6
"""Weight of the class colours: neighbouring classes can be told apart, and what they lie on can be seen."""
_GAP = 6
_LARGEST_SMALL_WIDTH = 480
_INK, _PAPER = (32, 33, 36), (255, 255, 255)


class Panel(NamedTuple):
    """One picture of a comparison."""

    title: str
    pixels: NDArray[np.uint8]
    """RGB ``(H, W, 3)``."""


def panels(
    image: NDArray[np.uint8],
    masks: Sequence[tuple[str, NDArray[np.uint8]]],
    palette: list[Colour],
    alpha: float = ALPHA,
) -> list[Panel]:
    """The image ``(H, W, 3)``, then each titled mask ``(H, W)`` of class ids as an overlay on it."""
    return [Panel("image", image), *(Panel(title, overlay(image, ids, palette, alpha)) for title, ids in masks)]


def small_panels(
    image: NDArray[np.uint8],
    masks: Sequence[tuple[str, NDArray[np.uint8]]],
    palette: list[Colour],
    alpha: float = ALPHA,
) -> list[Panel]:
    """The `panels`, shrunk to what a page has room for."""
    height, width = image.shape[:2]
    scale = min(1.0, _LARGEST_SMALL_WIDTH / width)
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return [Panel(panel.title, resize_image(panel.pixels, size)) for panel in panels(image, masks, palette, alpha)]


def comparison(
    image: NDArray[np.uint8], masks: Sequence[tuple[str, NDArray[np.uint8]]], palette: list[Colour]
) -> NDArray[np.uint8]:
    """The `panels` in one row, each under its title.

    Args:
        image: RGB ``(H, W, 3)``.
        masks: titles and class ids ``(H, W)``, 255 = ignore, e.g. ``[("label", ...), ("prediction", ...)]``.
        palette: RGB of each class.

    Returns:
        RGB ``(H + title, (1 + len(masks)) * W + gaps, 3)``.
    """
    row = panels(image, masks, palette)
    height, width = image.shape[:2]
    font_size = max(11, height // 20)
    strip = round(1.6 * font_size)
    canvas = Image.new("RGB", (len(row) * (width + _GAP) - _GAP, strip + height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for column, panel in enumerate(row):
        left = column * (width + _GAP)
        draw.text((left, strip // 2), panel.title, fill=_INK, font=ImageFont.load_default(font_size), anchor="lm")
        canvas.paste(Image.fromarray(panel.pixels), (left, strip))
    return np.asarray(canvas, np.uint8)
