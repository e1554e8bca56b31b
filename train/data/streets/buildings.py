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
        value = rng.uniform(0.75, 1.2)
        tint: Tint = (value, value, value * rng.uniform(0.93, 1.04))
        floor = 3.6 if rng.random() < 0.8 else 0.0
        near, far = -width / 2, width / 2
        x, back = side * front, side * (front + depth)
        upper = wall(*_seen_from_road(side, x, near, far), floor, height)
        flank = wall(*(((x, near), (back, near)) if side > 0 else ((back, near), (x, near))), 0, height)
        surfaces = [
            Surface(BUILDING, *upper, self.facades[style], tint, casts_shadow=True),
            Surface(BUILDING, *flank, self.walls[style], tint, casts_shadow=True),
        ]
        if floor:
            shop = wall(*_seen_from_road(side, x, near, far), 0, floor)
            surfaces.append(Surface(BUILDING, *shop, self.ground_floors[style], tint, casts_shadow=True))
        if rng.random() < 0.55:
            surfaces += self._roof(rng, side, x, back, width, height)
        return surfaces

    def _roof(
        self, rng: np.random.Generator, side: int, x: float, back: float, width: float, height: float
    ) -> list[Surface]:
        rise, eaves = rng.uniform(1.5, 4.5), x - side * 0.3
        ridge = (x + back) / 2
        near, far = (width / 2, -width / 2) if side > 0 else (-width / 2, width / 2)
        slope = rectangle((ridge, -height - rise, near), (ridge, -height - rise, far), (eaves, -height, near))
        surfaces = [Surface(BUILDING, *slope, self.roofs[0])]
        for _ in range(rng.integers(0, 3)):
            z = rng.uniform(-width / 2 + 0.6, width / 2 - 0.6)
            stack = wall((ridge - 0.45, z), (ridge + 0.45, z), height + rise - 0.8, height + rise + 1.3)
            surfaces.append(Surface(BUILDING, *stack, self.walls[-1], two_sided=True))
        return surfaces


def _seen_from_road(side: int, x: float, near: float, far: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """The ground points of a front, its left end first."""
    return ((x, far), (x, near)) if side > 0 else ((x, near), (x, far))


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
