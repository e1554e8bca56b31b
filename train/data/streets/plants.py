"""Trees, in leaf and bare, and hedges."""

import cv2
import numpy as np

from train.data.streets.atlas import AtlasBuilder, Tile
from train.data.streets.classes import TREE
from train.data.streets.noise import noise
from train.data.streets.surface import Surface, disc, facing, wall
from train.data.streets.texture import RGB, Texture, choose, rough

_LEAVES: tuple[RGB, ...] = ((55, 75, 35), (75, 95, 45), (95, 110, 60), (120, 110, 50), (125, 85, 45), (70, 80, 65))
_BARK: tuple[RGB, ...] = ((70, 60, 50), (95, 90, 82), (50, 45, 42))
_TEXELS = 128


def tree_tiles(rng: np.random.Generator, atlas: AtlasBuilder) -> list[Tile]:
    """A few trees of one season."""
    bare = rng.random() < 0.3
    return [atlas.add(*(_bare_tree(rng) if bare or rng.random() < 0.1 else _leafy_tree(rng))) for _ in range(4)]


def hedge_tile(rng: np.random.Generator, atlas: AtlasBuilder) -> Tile:
    """Leaves, to be repeated."""
    return atlas.add(_leaves(rng, (64, 64)), metres=(1.6, 1.6))


def tree(rng: np.random.Generator, tile: Tile, height: float) -> list[Surface]:
    """A tree: one upright picture across the street, with holes where the sky shows through."""
    width, middle = height * rng.uniform(0.55, 0.95), 0.62
    crown = [(x * width, (middle + y * 2 * (1 - middle)) * height) for x, y in disc((0, 0), 0.5)]
    trunk = [(-0.02 * height, 0.0), (0.02 * height, 0.0), (0.02 * height, height / 2), (-0.02 * height, height / 2)]
    pose, outlines = facing(crown)
    value = rng.uniform(0.8, 1.2)
    return [
        Surface(
            TREE,
            pose,
            [*outlines, *facing(trunk)[1]],
            tile,
            (value, value, value),
            two_sided=True,
            mirrored=bool(rng.random() < 0.5),
            casts_shadow=True,
        )
    ]


def hedge(side: int, right: float, length: float, height: float, tile: Tile) -> list[Surface]:
    """A clipped hedge along the street."""
    near, far, depth = -length / 2, length / 2, side * 0.7
    ends = ((right, far), (right, near)) if side > 0 else ((right, near), (right, far))
    flank = ((right, near), (right + depth, near)) if side > 0 else ((right + depth, near), (right, near))
    return [Surface(TREE, *wall(*ends, 0, height), tile), Surface(TREE, *wall(*flank, 0, height), tile)]


def woods(half: float, height: float, leaves: Tile) -> list[Surface]:
    """Trees so far away that they are one mass, ``2 half`` metres wide."""
    top = [
        (x * half, height * rise) for x, rise in ((1, 0.5), (0.7, 0.9), (0.3, 1), (-0.2, 0.85), (-0.6, 1), (-1, 0.6))
    ]
    return [Surface(TREE, *facing([(-half, 0), (half, 0), *top]), leaves, two_sided=True)]


def _leaves(rng: np.random.Generator, size: tuple[int, int]) -> Texture:
    return rough(rng, size, choose(rng, _LEAVES, 10), 0.28, 0.18)


def _leafy_tree(rng: np.random.Generator) -> tuple[Texture, Texture]:
    texture = _leaves(rng, (_TEXELS, _TEXELS))
    y, x = np.mgrid[-1 : 1 : _TEXELS * 1j, -1 : 1 : _TEXELS * 1j]
    crown = ((y + 0.25) / 0.72) ** 2 + (x / 0.9) ** 2
    ragged = crown + 0.22 * noise(rng, (_TEXELS, _TEXELS), "patches") + 0.12 * noise(rng, (_TEXELS, _TEXELS), "grain")
    solid = np.where(ragged < rng.uniform(0.7, 0.95), 255, 0).astype(np.uint8)
    # Darker below and inside, as a crown shades itself.
    texture = np.clip(texture * (1.12 - 0.3 * (y[..., None] + 0.25)), 0, 255).astype(np.uint8)
    thickness = int(rng.integers(4, 9))
    for canvas, ink in ((texture, choose(rng, _BARK)), (solid, (255.0,))):
        cv2.line(canvas, (64, 127), (64, 70), ink, thickness)
    return texture, solid


def _bare_tree(rng: np.random.Generator) -> tuple[Texture, Texture]:
    texture = rough(rng, (_TEXELS, _TEXELS), choose(rng, _BARK), 0.15, 0.1)
    solid = np.zeros((_TEXELS, _TEXELS), np.uint8)
    _branch(rng, solid, np.array([64.0, 127.0]), -np.pi / 2, 36.0, 6.0)
    return texture, solid


def _branch(
    rng: np.random.Generator,
    solid: Texture,
    start: "np.ndarray[tuple[int], np.dtype[np.float64]]",
    angle: float,
    length: float,
    thickness: float,
) -> None:
    end = start + length * np.array([np.cos(angle), np.sin(angle)])
    ends = [(int(x), int(y)) for x, y in np.round((start, end))]
    cv2.line(solid, ends[0], ends[1], (255.0,), max(1, round(thickness)))
    if length > 9:
        for turn in (-1, 1, 0.2):
            spread = turn * rng.uniform(0.25, 0.7)
            _branch(rng, solid, end, angle + spread, length * rng.uniform(0.62, 0.8), thickness * 0.62)
