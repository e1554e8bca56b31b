"""Buildings: facades of window bays above a ground floor, side walls and pitched roofs."""

from dataclasses import dataclass

import cv2
import numpy as np

from train.data.streets.atlas import AtlasBuilder, Tile
from train.data.streets.classes import BUILDING
from train.data.streets.noise import noise
from train.data.streets.surface import Surface, Tint, rectangle, wall
from train.data.streets.texture import GREYS, RGB, Texture, choose, rough

_STONE: tuple[RGB, ...] = (
    *GREYS[1:],
    (150, 95, 75),
    (125, 75, 60),
    (190, 170, 140),
    (225, 215, 195),
    (238, 238, 235),
    (120, 130, 115),
    (150, 165, 180),
)
_GLASS: tuple[RGB, ...] = ((35, 40, 45), (60, 70, 80), (110, 125, 140), (170, 185, 200), (20, 20, 22))
_SHOP: tuple[RGB, ...] = ((30, 60, 40), (140, 30, 30), (25, 40, 95), (50, 50, 50), (200, 170, 50), (220, 220, 215))
_TEXELS = 128

Ground = tuple[float, float]
"""A point ``(x, z)`` of a body's ground, in metres."""


@dataclass(frozen=True)
class BuildingStyle:
    """The tiles that the buildings of a street share."""

    facades: list[Tile]
    ground_floors: list[Tile]
    walls: list[Tile]
    roofs: list[Tile]

    @staticmethod
    def random(rng: np.random.Generator, atlas: AtlasBuilder) -> "BuildingStyle":
        """A few facades, so that neighbours differ."""
        colours = [choose(rng, _STONE, 15) for _ in range(5)]
        bay = rng.uniform(2.2, 4.2)
        return BuildingStyle(
            facades=[atlas.add(_facade(rng, colour), metres=(3 * bay, 6.2)) for colour in colours],
            ground_floors=[atlas.add(_ground_floor(rng, colour), metres=(9, 3.6)) for colour in colours],
            walls=[atlas.add(_bricks(rng, (64, 64), colour), metres=(4, 4)) for colour in colours],
            roofs=[atlas.add(_bricks(rng, (64, 64), choose(rng, (*GREYS, (140, 75, 55)))), metres=(4, 4))],
        )

    def building(self, rng: np.random.Generator, side: int, front: float, width: float, height: float) -> list[Surface]:
        """A building ``width`` metres along the street, whose front stands ``front`` metres from the centre line."""
        style, depth = int(rng.integers(len(self.facades))), rng.uniform(7, 14)
        rise = rng.uniform(1.5, 4.5) if rng.random() < 0.55 else 0.0
        value = rng.uniform(0.75, 1.2)
        tint: Tint = (value, value, value * rng.uniform(0.93, 1.04))
        floor = 3.6 if rng.random() < 0.8 else 0.0
        x, back = side * front, side * (front + depth)
        ends = (x, side * width / 2), (x, -side * width / 2)  # of the front, as seen from the road, the left one first
        flank, outlines = wall((min(x, back), -width / 2), (max(x, back), -width / 2), 0, height)
        outlines.append(np.array([(0, 0), (depth, 0), (depth / 2, -rise)]))
        surfaces = [
            Surface(BUILDING, *wall(*ends, floor, height), self.facades[style], tint, casts_shadow=True),
            Surface(BUILDING, flank, outlines, self.walls[style], tint, casts_shadow=True),
        ]
        if floor:
            ground_floor = self.ground_floors[style]
            surfaces.append(Surface(BUILDING, *wall(*ends, 0, floor), ground_floor, tint, casts_shadow=True))
        if rise:
            surfaces += self._roof(rng, ends, side * depth / 2, height, rise)
        return surfaces

    def _roof(
        self, rng: np.random.Generator, ends: tuple[Ground, Ground], inward: float, height: float, rise: float
    ) -> list[Surface]:
        """The slope above a front, from ``height`` up to a ridge ``inward`` metres behind it, and chimneys."""
        (x, left), (_, right) = ends
        ridge, top = x + inward, height + rise
        slope = rectangle((ridge, -top, left), (ridge, -top, right), (x, -height, left))
        surfaces = [Surface(BUILDING, *slope, self.roofs[0])]
        for _ in range(rng.integers(0, 3)):
            z = rng.uniform(0.1, 0.9) * (right - left) + left
            stack = wall((ridge - 0.45, z), (ridge + 0.45, z), top - 0.8, top + 1.3)
            surfaces.append(Surface(BUILDING, *stack, self.walls[-1], two_sided=True))
        return surfaces


def _bricks(rng: np.random.Generator, size: tuple[int, int], colour: RGB) -> Texture:
    bricks = rough(rng, size, colour, 0.06, 0.06)
    course = int(rng.choice((4, 8, 16, 64)))
    bricks[::course] = (bricks[::course] * rng.uniform(0.8, 0.97)).astype(np.uint8)
    return bricks


def _facade(rng: np.random.Generator, colour: RGB) -> Texture:
    """Two storeys of three bays."""
    facade = _bricks(rng, (_TEXELS, _TEXELS), colour)
    width, height = rng.integers(16, 38), rng.integers(26, 46)
    frame = choose(rng, ((235, 235, 230), colour, (60, 55, 50)), 8)
    for row in range(2):
        top = row * 64 + (64 - height) // 2
        if rng.random() < 0.4:
            cv2.line(facade, (0, row * 64 + 2), (_TEXELS, row * 64 + 2), choose(rng, (colour,), 30), 2)
        for column in range(3):
            left = 21 + column * 42 - width // 2
            _window(rng, facade, (int(left), int(top)), (int(width), int(height)), frame)
    return facade


def _window(
    rng: np.random.Generator, facade: Texture, corner: tuple[int, int], size: tuple[int, int], frame: RGB
) -> None:
    left, top = corner
    right, bottom = left + size[0], top + size[1]
    cv2.rectangle(facade, (left - 2, top - 2), (right + 1, bottom + 1), frame, -1)
    gloss = 1 + 0.25 * noise(rng, (64, 64), "patches")[: bottom - top, : right - left, None]
    facade[top:bottom, left:right] = np.clip(gloss * np.array(choose(rng, _GLASS)), 0, 255)
    if rng.random() < 0.3:  # a curtain or a blind
        end = top + int(rng.uniform(0.2, 1) * size[1])
        cv2.rectangle(facade, (left, top), (right - 1, end), choose(rng, GREYS[3:]), -1)
    middle = (left + right) // 2
    cv2.line(facade, (middle, top), (middle, bottom), frame, 1)
    cv2.line(facade, (left, top + size[1] // 3), (right, top + size[1] // 3), frame, 1)
    cv2.line(facade, (left - 3, bottom + 2), (right + 2, bottom + 2), choose(rng, GREYS), 2)


def _ground_floor(rng: np.random.Generator, colour: RGB) -> Texture:
    """A shop front with a fascia, or the door and windows of a house; 128 x 64 texels."""
    floor = _bricks(rng, (64, _TEXELS), colour)
    if rng.random() < 0.5:
        trim = choose(rng, _SHOP)
        cv2.rectangle(floor, (2, 0), (125, 63), trim, -1)
        for letter in range(12, int(rng.integers(40, 110)), 6):
            cv2.rectangle(floor, (letter, 5), (letter + 3, 9), choose(rng, ((230, 230, 220),)), -1)
        for left in (6, 46, 86):
            _window(rng, floor, (left, 16), (34, int(rng.choice((36, 46)))), trim)
    else:
        for left in rng.permutation((8, 50, 92))[:2]:
            _window(rng, floor, (int(left), 18), (26, 28), (225, 225, 220))
        door = int(rng.choice((14, 56, 98)))
        cv2.rectangle(floor, (door, 16), (door + 14, 63), choose(rng, _SHOP), -1)
    return floor
