"""Railings, wooden fences and low walls along the pavement."""

import numpy as np

from train.data.streets.atlas import AtlasBuilder, Tile
from train.data.streets.classes import FENCE
from train.data.streets.surface import Surface, wall
from train.data.streets.texture import GREYS, choose, rough

_SIZE = 64


def fence_tile(rng: np.random.Generator, atlas: AtlasBuilder) -> Tile:
    """Railings that one sees through, or boards, or stone; as high as one repeat of the tile."""
    metres = (rng.uniform(1.6, 2.4), rng.uniform(0.8, 1.6))
    kind = rng.choice(3, p=(0.5, 0.25, 0.25))
    if kind == 0:
        texture = rough(rng, (_SIZE, _SIZE), choose(rng, (*GREYS, (40, 60, 45))))
        solid = np.zeros((_SIZE, _SIZE), np.uint8)
        step = int(rng.choice((8, 16)))
        for bar in range(step // 4):
            solid[4:, bar::step] = 255
        solid[[6, 7, 8, 56, 57, 58]] = 255
        return atlas.add(texture, solid, metres)
    texture = rough(rng, (_SIZE, _SIZE), choose(rng, (*GREYS, (120, 90, 60), (150, 100, 80), (90, 95, 70))))
    if kind == 1:
        texture[:, ::8] = texture[:, ::8] // 2
    else:
        texture[::8] = (texture[::8] * 0.8).astype(np.uint8)
    return atlas.add(texture, metres=metres)


def fence(side: int, right: float, length: float, height: float, tile: Tile) -> list[Surface]:
    """A straight fence along the street."""
    far, near = (right, side * length / 2), (right, -side * length / 2)
    return [Surface(FENCE, *wall(far, near, 0, height), tile, two_sided=True)]
