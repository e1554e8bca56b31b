"""Street furniture: lamp posts, wooden poles, bollards, traffic signs and lights."""

import cv2
import numpy as np

from train.data.streets.atlas import AtlasBuilder, Tile
from train.data.streets.classes import POLE, SIGN
from train.data.streets.street import Array
from train.data.streets.surface import Surface, disc, facing
from train.data.streets.texture import GREYS, RGB, Texture, choose, rough, vary

_PANEL: tuple[RGB, ...] = ((25, 75, 45), (30, 60, 130), (220, 220, 215), (190, 150, 50), (60, 85, 50))
_SIZE = 64


def metal_tile(rng: np.random.Generator, atlas: AtlasBuilder) -> Tile:
    """The finish of a street's poles."""
    colour = choose(rng, (*GREYS, (40, 60, 45), (85, 70, 55)))
    return atlas.add(rough(rng, (64, 64), colour, 0.05, 0.08), metres=(1, 1))


def sign_tiles(rng: np.random.Generator, atlas: AtlasBuilder) -> list[tuple[Tile, str]]:
    """Plates with their shapes."""
    kinds = ("disc", "disc", "triangle", "panel", "panel", "back")
    return [(atlas.add(_plate(rng, kind)), kind) for kind in kinds]


def lights_tile(rng: np.random.Generator, atlas: AtlasBuilder) -> Tile:
    """A traffic light, one of its three lamps lit."""
    texture = rough(rng, (_SIZE, _SIZE), (32, 32, 32))
    lit = rng.integers(3)
    for lamp, colour in enumerate(((250, 60, 40), (250, 180, 40), (60, 240, 150))):
        dim = 1 if lamp == lit else 0.3
        cv2.ellipse(texture, (32, 12 + 20 * lamp), (16, 8), 0, 0, 360, [dim * value for value in colour], -1)
    return atlas.add(texture)


def lamp_post(rng: np.random.Generator, metal: Tile, side: int) -> list[Surface]:
    """A lamp on an arm over the road."""
    height, arm, width = rng.uniform(5, 9.5), rng.uniform(0.6, 2.2), rng.uniform(0.1, 0.18)
    post = facing(_post(width, height))
    reach = -side * arm
    head = facing([(0, height - 0.1), (reach, height + 0.25), (reach * 1.4, height + 0.25), (reach * 1.4, height + 0.1),
                   (reach, height + 0.1), (0, height - 0.25)])  # fmt: skip
    return [Surface(POLE, post[0], [*post[1], *head[1]], metal, two_sided=True, casts_shadow=True)]


def wooden_pole(rng: np.random.Generator, metal: Tile) -> list[Surface]:
    """A telegraph pole with a crossbar."""
    height = rng.uniform(6, 9)
    post = facing(_post(rng.uniform(0.2, 0.28), height))
    bar = facing([(-0.9, height - 0.7), (0.9, height - 0.7), (0.9, height - 0.55), (-0.9, height - 0.55)])
    return [Surface(POLE, post[0], [*post[1], *bar[1]], metal, (0.9, 0.8, 0.7), two_sided=True, casts_shadow=True)]


def bollard(metal: Tile) -> list[Surface]:
    """A short post at the kerb."""
    return [Surface(POLE, *facing(_post(0.16, 0.95)), metal, two_sided=True, casts_shadow=True)]


def sign(rng: np.random.Generator, metal: Tile, plates: list[tuple[Tile, str]]) -> list[Surface]:
    """One or two plates on a thin post."""
    height = rng.uniform(2.2, 3.2)
    surfaces = [Surface(POLE, *facing(_post(rng.uniform(0.07, 0.11), height)), metal, two_sided=True)]
    for _ in range(rng.integers(1, 3)):
        tile, kind = plates[rng.integers(len(plates))]
        size = rng.uniform(0.6, 0.95)
        pose, outline = _plate_outline(rng, kind, height, size)
        pose[2, 2] = -0.06  # before the post
        surfaces.append(Surface(SIGN, pose, outline, tile, two_sided=True, casts_shadow=True))
        height -= size + 0.1
    return surfaces


def traffic_light(rng: np.random.Generator, metal: Tile, lights: Tile) -> list[Surface]:
    """A signal head on a post."""
    height = rng.uniform(2.9, 3.6)
    post = Surface(POLE, *facing(_post(0.13, height)), metal, two_sided=True, casts_shadow=True)
    pose, outline = facing([(-0.2, height - 1), (0.2, height - 1), (0.2, height), (-0.2, height)])
    pose[2, 2] = -0.1
    return [post, Surface(SIGN, pose, outline, lights, two_sided=True)]


def _post(width: float, height: float) -> list[tuple[float, float]]:
    return [(-width / 2, 0), (width / 2, 0), (width / 2 * 0.8, height), (-width / 2 * 0.8, height)]


def _plate_outline(rng: np.random.Generator, kind: str, top: float, size: float) -> tuple[Array, list[Array]]:
    if kind == "triangle":
        return facing([(-size / 2, top - size * 0.87), (size / 2, top - size * 0.87), (0, top)])
    if kind == "panel":
        half = size * rng.uniform(0.5, 1.2)
        return facing([(-half, top - size), (half, top - size), (half, top), (-half, top)])
    return facing(disc((0, top - size / 2), size / 2))


def _plate(rng: np.random.Generator, kind: str) -> Texture:
    half = _SIZE // 2
    white, red, blue = vary(rng, (225, 225, 225)), vary(rng, (185, 35, 40)), vary(rng, (35, 75, 155))
    if kind == "back":
        return rough(rng, (_SIZE, _SIZE), choose(rng, GREYS[2:]), 0.03, 0.05)
    if kind == "triangle":
        plate = rough(rng, (_SIZE, _SIZE), red, 0.02, 0.04)
        inner: Array = np.array([(12, 54), (52, 54), (32, 16)])
        cv2.fillPoly(plate, [inner.astype(np.int32)], white)
        cv2.line(plate, (32, 28), (32, 46), (30, 30, 30), 5)
    elif kind == "disc":
        ring, face = ((red, white), (blue, blue), (red, red))[rng.integers(3)]
        plate = rough(rng, (_SIZE, _SIZE), ring, 0.02, 0.04)
        cv2.circle(plate, (half, half), 20, face, -1)
        cv2.line(plate, (22, 32), (42, 32), white if face != white else (30, 30, 30), 8)
    else:
        colour = choose(rng, _PANEL)
        plate = rough(rng, (_SIZE, _SIZE), colour, 0.02, 0.05)
        ink = white if sum(colour) < 380 else (40.0, 40.0, 40.0)
        for y in (16, 32, 48):
            cv2.line(plate, (10, y), (int(rng.integers(26, 54)), y), ink, 4)
    return plate
