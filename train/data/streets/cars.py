"""Cars, vans and buses: a side profile, drawn out to the vehicle's width."""

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import cv2
import numpy as np

from train.data.streets.atlas import AtlasBuilder, Tile
from train.data.streets.classes import CAR
from train.data.streets.street import Array
from train.data.streets.surface import Surface, Tint, disc, plane, rectangle
from train.data.streets.texture import GREYS, RGB, Texture, choose, rough, vary

_PAINT: tuple[RGB, ...] = (
    *GREYS, (225, 225, 225), (25, 25, 28), (140, 30, 30), (35, 55, 110), (45, 75, 55), (150, 140, 115)
)  # fmt: skip
_GLASS: RGB = (38, 44, 50)
_FLOOR = 0.28  # metres between the ground and the body

# From the rear bumper over the roof to the nose: share of the length from the rear, share of the height from the floor.
_PROFILES = {
    "hatchback": ((0, 0), (0.0, 0.52), (0.08, 1.0), (0.55, 1.0), (0.72, 0.52), (0.98, 0.4), (1, 0)),
    "saloon": ((0, 0), (0.0, 0.5), (0.14, 0.54), (0.28, 1.0), (0.58, 1.0), (0.73, 0.52), (0.98, 0.4), (1, 0)),
    "estate": ((0, 0), (0.0, 0.5), (0.04, 1.0), (0.6, 1.0), (0.74, 0.52), (0.98, 0.42), (1, 0)),
    "van": ((0, 0), (0.0, 0.5), (0.01, 1.0), (0.74, 1.0), (0.88, 0.5), (0.99, 0.35), (1, 0)),
    "bus": ((0, 0), (0.0, 0.35), (0.01, 1.0), (0.98, 1.0), (1, 0.4), (1, 0)),
}
# Length, width and height in metres.
_SIZES = {
    "hatchback": (3.9, 1.7, 1.2),
    "saloon": (4.5, 1.75, 1.15),
    "estate": (4.6, 1.75, 1.3),
    "van": (5.2, 1.95, 1.9),
    "bus": (10.5, 2.5, 2.8),
}
_KINDS = ("hatchback", "saloon", "estate", "van", "bus")


@dataclass(frozen=True)
class CarModel:
    """A kind of vehicle in one colour. Built at the origin of its body, driving along z."""

    kind: str
    length: float
    width: float
    height: float
    side: Tile
    rear: Tile
    nose: Tile
    paint: Tile
    glass: Tile
    wheel: Tile

    @staticmethod
    def random(rng: np.random.Generator, atlas: AtlasBuilder) -> "CarModel":
        """Mostly cars, some vans, few buses."""
        kind = _KINDS[rng.choice(len(_KINDS), p=(0.35, 0.25, 0.2, 0.14, 0.06))]
        length, width, height = np.array(_SIZES[kind]) * rng.uniform(0.93, 1.07, 3)
        colour = choose(rng, _PAINT, 14)
        return CarModel(
            kind=kind,
            length=length,
            width=width,
            height=height,
            side=atlas.add(_side(rng, kind, colour)),
            rear=atlas.add(_end(rng, colour, (190, 30, 30))),
            nose=atlas.add(np.ascontiguousarray(_end(rng, colour, (235, 235, 225))[::-1, ::-1])),
            paint=atlas.add(rough(rng, (32, 32), colour, 0.02, 0.1)),
            glass=atlas.add(rough(rng, (32, 32), vary(rng, _GLASS, 10), 0.03, 0.4)),
            wheel=atlas.add(_wheel(rng)),
        )

    @cached_property
    def surfaces(self) -> list[Surface]:
        """Body, flanks, wheels and the floor, which is there for its shadow."""
        half, profile = self.width / 2, self._profile()
        skin = []
        for index, ((rear_z, rear_y), (front_z, front_y)) in enumerate(pairwise(profile)):
            sheet = rectangle((-half, front_y, front_z), (half, front_y, front_z), (-half, rear_y, rear_z))
            shade: Tint = (1.1, 1.1, 1.1) if abs(front_y - rear_y) < 0.3 else (1, 1, 1)
            skin.append(Surface(CAR, *sheet, self._tile(index, len(profile) - 1), shade))
        floor = rectangle(
            (-half, -0.15, self.length / 2), (half, -0.15, self.length / 2), (-half, -0.15, -self.length / 2)
        )
        skin.append(Surface(CAR, *floor, self.wheel, casts_shadow=True))
        return [*skin, *self._flank(-1), *self._flank(1)]

    def _profile(self) -> list[tuple[float, float]]:
        return [((z - 0.5) * self.length, -_FLOOR - y * self.height) for z, y in _PROFILES[self.kind]]

    def _tile(self, edge: int, edges: int) -> Tile:
        if edge == 0:
            return self.rear
        if edge == edges - 1:
            return self.nose
        glazed = (1, edges - 3) if self.kind in ("hatchback", "estate", "van") else (2, edges - 3)
        if self.kind == "bus":
            glazed = (1, edges - 2)
        return self.glass if edge in glazed else self.paint

    def _flank(self, side: int) -> list[Surface]:
        """One side, its u axis rightwards as seen from outside."""
        x = side * self.width / 2
        body: Array = np.array(self._profile()) * (side, 1)
        pose = plane((x, 0, 0), (0, 0, side), (0, 1, 0))
        radius = 0.32 if self.kind != "bus" else 0.48
        wheels = []
        for place in (-0.31, 0.3):
            wheels.append(np.array(disc((side * place * self.length, -radius), radius)))
        outer = plane((x + side * 0.02, 0, 0), (0, 0, side), (0, 1, 0))
        return [
            Surface(CAR, pose, [body], self.side, mirrored=side < 0, casts_shadow=True),
            Surface(CAR, outer, wheels[:1], self.wheel),
            Surface(CAR, outer, wheels[1:], self.wheel),
        ]


def _side(rng: np.random.Generator, kind: str, colour: RGB) -> Texture:
    """A flank with windows, doors and sills, 128 x 64 texels, the nose to the right."""
    flank = rough(rng, (64, 128), colour, 0.02, 0.06)
    flank[52:] = flank[52:] // 2
    glass = vary(rng, _GLASS, 10)
    spans = {"van": ((92, 108),), "bus": ((8, 28), (32, 52), (56, 76), (80, 118))}
    rows = (8, 38) if kind == "bus" else (8, 30)
    for begin, end in spans.get(kind, ((24, 46), (49, 68), (70, 86))):
        cv2.rectangle(flank, (begin, rows[0]), (end, rows[1]), glass, -1)
    for door in (47, 69, 88):
        cv2.line(flank, (door, 10), (door, 52), tuple(0.6 * value for value in colour), 1)
    return flank


def _end(rng: np.random.Generator, colour: RGB, lamps: RGB) -> Texture:
    """The lower part of a rear or a nose: lamps, number plate, bumper."""
    end = rough(rng, (32, 64), colour, 0.02, 0.06)
    for left in (3, 51):
        cv2.rectangle(end, (left, 4), (left + 10, 13), vary(rng, lamps), -1)
    cv2.rectangle(end, (22, 12), (42, 18), choose(rng, ((225, 225, 225), (215, 190, 60))), -1)
    end[25:] = end[25:] // 2
    return end


def _wheel(rng: np.random.Generator) -> Texture:
    wheel = rough(rng, (32, 32), (22, 22, 22), 0.1, 0.1)
    cv2.circle(wheel, (16, 16), 8, choose(rng, GREYS[1:]), -1)
    return wheel
