"""The ground: road with markings and repairs, pavements with kerbs, verges."""

import numpy as np

from train.data.streets.atlas import Tile
from train.data.streets.classes import PAVEMENT, ROAD, SKY, TREE
from train.data.streets.noise import noise
from train.data.streets.scene import SceneBuilder
from train.data.streets.section import BEGIN, END, Section
from train.data.streets.street import Array
from train.data.streets.surface import Surface, Tint, box_outline, plane
from train.data.streets.texture import GREYS, RGB, Texture, choose, rough, vary

_GROUND = plane((0, 0, 0), (1, 0, 0), (0, 0, -1))
_GRASS: tuple[RGB, ...] = ((70, 90, 45), (95, 100, 60), (110, 105, 75), (60, 75, 40))
_FAR_M = 400.0


def add_sky(scene: SceneBuilder, rng: np.random.Generator, colours: Array, clouds: float) -> None:
    """The sky: a plane at infinity, so that only the camera's turning moves it."""
    height = np.linspace(1.15, -0.15, 128)[:, None]  # tangent of the elevation
    share = np.clip(height, 0, 1)[..., None] ** 0.7
    sky = np.broadcast_to(colours[0] * (1 - share) + colours[1] * share, (128, 256, 3))
    cover = np.clip((noise(rng, (128, 256), "patches") + 2.6 * clouds - 1.6) * 0.8, 0, 1)[..., None]
    billow = 0.9 + 0.05 * noise(rng, (128, 256), "patches")[..., None]
    sky = sky * (1 - cover) + np.clip(billow * (0.4 + 0.6 * colours[0].max()), 0, 1) * cover
    tile = scene.atlas.add((255 * np.clip(sky, 0, 1)).astype(np.uint8))
    directions = np.zeros((4, 3))
    directions[:3] = ((1, 0, -3), (0, 1, -1.3), (0, 0, 1))
    scene.add(Surface(SKY, directions, [box_outline(6, 1.6)], tile, ground=True, emits=True))


def add_ground(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> None:
    """Everything that is painted on the ground, from the verge up to the markings."""
    grass = scene.atlas.add(rough(rng, (128, 128), choose(rng, _GRASS, 8), 0.14, 0.1), metres=(4, 4))
    paving = scene.atlas.add(_paving(rng), metres=(3, 3))
    asphalt = scene.atlas.add(rough(rng, (128, 128), choose(rng, GREYS[:4]), 0.05, 0.05), metres=(7, 7))
    verge_paved = rng.random() < 0.5
    square = np.array([(-_FAR_M, -20), (_FAR_M, -20), (_FAR_M, _FAR_M), (-_FAR_M, _FAR_M)])
    base = (PAVEMENT, paving) if verge_paved else (TREE, grass)
    _paint(scene, *base, [square])
    _paint(scene, PAVEMENT, paving, _pavements(scene, section), _grey(rng, 0.9, 1.1))
    _paint(scene, PAVEMENT, paving, _kerbs(scene, section), _grey(rng, 0.75, 1.4))
    _paint(scene, ROAD, asphalt, _roads(scene, section))
    _paint(scene, ROAD, asphalt, _repairs(scene, rng, section), _grey(rng, 0.75, 1.2))
    _add_markings(scene, rng, section)


def _add_markings(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> None:
    worn = vary(rng, (205, 205, 200), 18)
    paint = scene.atlas.add(rough(rng, (64, 64), worn, 0.08, 0.12), metres=(2, 2))
    yellow: Tint = (1.0, 0.85, 0.35)
    if rng.random() < 0.8:
        dash, gap, width = rng.uniform(1.5, 4), rng.uniform(2, 6), rng.uniform(0.1, 0.18)
        _paint(scene, ROAD, paint, _dashes(scene, section, dash, gap, width), yellow if rng.random() < 0.15 else None)
    if rng.random() < 0.6:
        _paint(scene, ROAD, paint, _edge_lines(scene, rng, section), yellow if rng.random() < 0.4 else None)
    _paint(scene, ROAD, paint, _crossings(scene, rng, section))


def _paint(scene: SceneBuilder, label: int, tile: Tile, outlines: list[Array], tint: Tint | None = None) -> None:
    if outlines:
        scene.add(
            Surface(label, _GROUND, [outline * (1, -1) for outline in outlines], tile, tint or (1, 1, 1), ground=True)
        )


def _grey(rng: np.random.Generator, low: float, high: float) -> Tint:
    value = rng.uniform(low, high)
    return value, value, value


def _paving(rng: np.random.Generator) -> Texture:
    """Slabs with dark joints, or plain asphalt."""
    paving = rough(rng, (128, 128), choose(rng, (*GREYS[1:], (165, 140, 120), (150, 110, 95))), 0.05, 0.05)
    if rng.random() < 0.75:
        step = int(rng.choice((16, 32, 64)))
        joint = rng.uniform(0.7, 0.9)
        paving[::step] = (paving[::step] * joint).astype(np.uint8)
        paving[:, ::step] = (paving[:, ::step] * joint).astype(np.uint8)
    return paving


def _roads(scene: SceneBuilder, section: Section) -> list[Array]:
    half = section.half_road
    along = [scene.street.strip((BEGIN, END + 150), (-half, half))]
    return along + [scene.street.strip(span, (-90, 90)) for span in section.side_roads]


def _pavements(scene: SceneBuilder, section: Section) -> list[Array]:
    strips = []
    for side, edge in zip((-1, 1), section.pavement, strict=True):
        strips.append(scene.street.strip((BEGIN, END), (side * section.half_road, side * (section.half_road + edge))))
    return strips


def _kerbs(scene: SceneBuilder, section: Section) -> list[Array]:
    edges = (side * section.half_road for side in (-1, 1))
    return [scene.street.strip((BEGIN, END), (edge * 0.999, edge + np.sign(edge) * 0.16)) for edge in edges]


def _repairs(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> list[Array]:
    patches = []
    for _ in range(rng.integers(2, 12)):
        along, right = rng.uniform(BEGIN, END), rng.uniform(-section.half_road, section.half_road - 1)
        length, width = rng.uniform(0.6, 12), rng.uniform(0.4, 1.8)
        end = min(right + width, section.half_road)
        patches.append(scene.street.strip((along, along + length), (right, end)))
    return patches


def _dashes(scene: SceneBuilder, section: Section, dash: float, gap: float, width: float) -> list[Array]:
    lines = section.lane_lines()
    starts = np.arange(BEGIN, END, dash + gap)
    spans = [(start, start + dash) for start in starts if not section.in_side_road(start + dash / 2, 1)]
    return [scene.street.strip(span, (line - width / 2, line + width / 2)) for line in lines for span in spans]


def _edge_lines(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> list[Array]:
    inset, double = rng.uniform(0.15, 0.5), rng.random() < 0.4
    offsets = (inset, inset + 0.22) if double else (inset,)
    lines = []
    for begin, end in section.between_side_roads():
        for side in (-1, 1):
            for offset in offsets:
                right = side * (section.half_road - offset)
                lines.append(scene.street.strip((begin, end), (right, right + 0.1)))
    return lines


def _crossings(scene: SceneBuilder, rng: np.random.Generator, section: Section) -> list[Array]:
    """Zebra crossings: bars along the street, side by side."""
    bars = []
    for along in section.crossings:
        length, pitch = rng.uniform(2.5, 4), rng.uniform(0.9, 1.2)
        for right in np.arange(-section.half_road + 0.3, section.half_road - 0.5, pitch):
            bars.append(scene.street.strip((along, along + length), (right, right + pitch / 2)))
    return bars
