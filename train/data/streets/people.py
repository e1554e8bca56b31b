"""Pedestrians and bicyclists: upright figures with holes around them."""

import cv2
import numpy as np

from train.data.streets.atlas import AtlasBuilder, Tile
from train.data.streets.classes import BICYCLIST, PEDESTRIAN
from train.data.streets.surface import Surface, facing
from train.data.streets.texture import GREYS, RGB, Texture, choose, rough

_CLOTHES: tuple[RGB, ...] = (
    *GREYS, (30, 32, 40), (45, 60, 95), (120, 35, 40), (70, 80, 55), (200, 195, 185), (140, 105, 70)
)  # fmt: skip
_SKIN: tuple[RGB, ...] = ((225, 180, 155), (190, 140, 110), (120, 80, 60))
_WIDTH, _HEIGHT = 64, 128
_Limb = tuple[tuple[int, int], tuple[int, int], int]


def pedestrian_tiles(rng: np.random.Generator, atlas: AtlasBuilder) -> list[Tile]:
    """The people of a street."""
    return [atlas.add(*_pedestrian(rng)) for _ in range(4)]


def bicyclist_tile(rng: np.random.Generator, atlas: AtlasBuilder) -> Tile:
    """A rider, seen from behind or ahead."""
    return atlas.add(*_bicyclist(rng))


def pedestrian(rng: np.random.Generator, tile: Tile) -> list[Surface]:
    """A person, 1.1 to 1.95 m tall."""
    height = rng.uniform(1.55, 1.95) if rng.random() < 0.85 else rng.uniform(1.1, 1.4)
    return _figure(rng, PEDESTRIAN, tile, height, height * 0.46)


def bicyclist(rng: np.random.Generator, tile: Tile) -> list[Surface]:
    """A person on a bicycle."""
    height = rng.uniform(1.6, 1.9)
    return _figure(rng, BICYCLIST, tile, height, height * 0.5)


def _figure(rng: np.random.Generator, label: int, tile: Tile, height: float, width: float) -> list[Surface]:
    half, arms = width / 2, height * 0.6
    shape = [(-half, 0), (half, 0), (half, arms), (half / 2, height), (-half / 2, height), (-half, arms)]
    mirrored = bool(rng.random() < 0.5)
    return [Surface(label, *facing(shape), tile, two_sided=True, mirrored=mirrored, casts_shadow=True)]


def _pedestrian(rng: np.random.Generator) -> tuple[Texture, Texture]:
    top, legs = choose(rng, _CLOTHES, 15), choose(rng, _CLOTHES, 15)
    stride, swing = int(rng.integers(2, 15)), int(rng.integers(8, 18))
    limbs: list[tuple[RGB, list[_Limb]]] = [
        (legs, [((29, 68), (32 - stride, 126), 10), ((35, 68), (32 + stride, 126), 10)]),
        (top, [((24, 30), (32 - swing, 68), 8), ((40, 30), (32 + swing, 68), 8)]),
    ]
    texture, solid = _draw(rng, limbs, (top, (22, 24), (42, 74 if rng.random() < 0.7 else 94)))
    if rng.random() < 0.35:  # a bag
        for canvas, ink in ((texture, choose(rng, _CLOTHES)), (solid, (255.0,))):
            cv2.rectangle(canvas, (42, 52), (54, 72), ink, -1)
    return texture, solid


def _bicyclist(rng: np.random.Generator) -> tuple[Texture, Texture]:
    top, legs, frame = choose(rng, _CLOTHES, 15), choose(rng, _CLOTHES, 15), choose(rng, GREYS[:3])
    limbs: list[tuple[RGB, list[_Limb]]] = [
        (frame, [((32, 80), (32, 126), 6), ((12, 62), (52, 62), 4)]),
        (legs, [((28, 64), (22, 104), 9), ((36, 64), (43, 92), 9)]),
        (top, [((24, 30), (13, 60), 7), ((40, 30), (51, 60), 7)]),
    ]
    return _draw(rng, limbs, (top, (22, 24), (42, 70)))


def _draw(
    rng: np.random.Generator,
    limbs: list[tuple[RGB, list[_Limb]]],
    torso: tuple[RGB, tuple[int, int], tuple[int, int]],
) -> tuple[Texture, Texture]:
    texture = rough(rng, (_HEIGHT, _WIDTH), torso[0], 0.05, 0.08)
    solid = np.zeros((_HEIGHT, _WIDTH), np.uint8)
    for colour, lines in limbs:
        for start, end, thickness in lines:
            cv2.line(texture, start, end, colour, thickness)
            cv2.line(solid, start, end, (255.0,), thickness)
    cv2.rectangle(texture, *torso[1:], torso[0], -1)
    cv2.rectangle(solid, *torso[1:], (255.0,), -1)
    hair, skin = choose(rng, _CLOTHES), choose(rng, _SKIN)
    for canvas, colours in ((texture, (hair, skin)), (solid, ((255.0,), (255.0,)))):
        cv2.ellipse(canvas, (32, 12), (8, 10), 0, 0, 360, colours[0], -1)
        cv2.ellipse(canvas, (32, 14), (6, 7), 0, 0, 360, colours[1], -1)
    return texture, solid
