"""All textures of a clip in one picture, its smaller copies beside it (a mip-map), so that one remap shades a frame."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH = 1024
LEVELS = 6
_BORDER = 8  # texels of the tile's other side around it: bilinear reads stay in the tile down to the third level


@dataclass(frozen=True)
class Tile:
    """A texture's place in the atlas, in texels. It repeats in both directions."""

    x: int
    y: int
    width: int
    height: int
    metres: tuple[float, float] | None  # width and height of one repeat; None: stretched over the surface's outline
    cutout: bool  # some of its texels are holes


@dataclass(frozen=True)
class Atlas:
    """The drawn tiles."""

    pyramid: NDArray[np.uint8]  # (H, 2 W, 3) level n, smaller by 2^n, begins at column offsets[n]
    offsets: NDArray[np.float32]  # (LEVELS,)
    solid: NDArray[np.uint8]  # (H, W) of level 0: 0 in holes, 255 elsewhere


class AtlasBuilder:
    """Places tiles on shelves, in the order in which they come."""

    def __init__(self) -> None:
        self._tiles: list[tuple[Tile, NDArray[np.uint8], NDArray[np.uint8] | None]] = []
        self._x = self._y = self._shelf = 0

    def add(
        self,
        rgb: NDArray[np.uint8],
        solid: NDArray[np.uint8] | None = None,
        metres: tuple[float, float] | None = None,
    ) -> Tile:
        """Take a texture ``(h, w, 3)`` and, for one with holes, where it is solid: ``(h, w)``, 0 or 255."""
        height, width = rgb.shape[0] + 2 * _BORDER, rgb.shape[1] + 2 * _BORDER
        if self._x + width > WIDTH:
            self._x, self._y, self._shelf = 0, self._y + self._shelf, 0
        place = self._x + _BORDER, self._y + _BORDER
        tile = Tile(*place, rgb.shape[1], rgb.shape[0], metres, solid is not None)
        self._tiles.append((tile, rgb, solid))
        self._x += width
        self._shelf = max(self._shelf, height)
        return tile

    def build(self) -> Atlas:
        """Draw the atlas of all tiles added so far."""
        height = -(-(self._y + self._shelf) // 2**LEVELS) * 2**LEVELS
        base = np.zeros((height, WIDTH, 3), np.uint8)
        solid = np.full((height, WIDTH), 255, np.uint8)
        for tile, rgb, holes in self._tiles:
            _paste(base, tile, rgb)
            if holes is not None:
                _paste(solid, tile, holes)
        pyramid, offsets = _pyramid(base)
        return Atlas(pyramid, offsets, solid)


def _paste(canvas: NDArray[np.uint8], tile: Tile, texture: NDArray[np.uint8]) -> None:
    rows = slice(tile.y - _BORDER, tile.y + tile.height + _BORDER)
    columns = slice(tile.x - _BORDER, tile.x + tile.width + _BORDER)
    canvas[rows, columns] = cv2.copyMakeBorder(texture, _BORDER, _BORDER, _BORDER, _BORDER, cv2.BORDER_WRAP)


def _pyramid(base: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    offsets = [0]
    pyramid = np.zeros((len(base), 2 * WIDTH, 3), np.uint8)
    level = base
    for _ in range(LEVELS):
        height, width = level.shape[:2]
        pyramid[:height, offsets[-1] : offsets[-1] + width] = level
        offsets.append(offsets[-1] + width)
        level = np.asarray(cv2.resize(level, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
    return pyramid, np.array(offsets[:-1], np.float32)
