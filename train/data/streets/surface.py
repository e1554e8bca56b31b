"""What a scene is made of: flat, textured outlines on rigid bodies."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from train.data.streets.atlas import Tile
from train.data.streets.street import Array

Tint = tuple[float, float, float]
Point = tuple[float, float, float]

WHITE: Tint = (1.0, 1.0, 1.0)
_MARGIN = 0.06  # of a stretched tile, on each side: an outline's rounding to pixels must not show the tile's other side


@dataclass(frozen=True)
class Surface:
    """Flat outlines of one class, all in one plane of one body.

    ``plane`` ``(4, 3)`` takes ``(u, v, 1)``, metres in the plane, to homogeneous points of the body. Seen from
    outside u goes right and v goes down; a surface that is not ``two_sided`` is not drawn from inside.
    """

    label: int
    plane: Array
    outlines: list[Array]
    tile: Tile
    tint: Tint = WHITE
    two_sided: bool = False
    mirrored: bool = False
    casts_shadow: bool = False
    ground: bool = False  # painted on the ground in the order of the scene, below everything that stands
    emits: bool = False  # shown as it is, without light or haze

    @cached_property
    def to_tile(self) -> Array:
        """``(3, 3)`` from ``(u, v, 1)`` to the tile, whose sides are 1."""
        if self.tile.metres is not None:
            width, height = self.tile.metres
            return np.array([[1 / width, 0, 0], [0, 1 / height, 0], [0, 0, 1.0]])
        points = np.concatenate(self.outlines)
        low, high = points.min(axis=0), points.max(axis=0)
        scale = (1 - 2 * _MARGIN) / (high - low)
        shift = _MARGIN - low * scale
        if self.mirrored:
            scale[0], shift[0] = -scale[0], 1 - shift[0]
        mapping = np.eye(3)
        mapping[[0, 1], [0, 1]], mapping[:2, 2] = scale, shift
        return mapping


def plane(origin: Point, u_axis: Point, v_axis: Point) -> Array:
    """``(4, 3)`` of a plane by a point of it and two perpendicular unit vectors in it."""
    return np.stack([np.array([*u_axis, 0.0]), np.array([*v_axis, 0.0]), np.array([*origin, 1.0])], axis=1)


def rectangle(top_left: Point, top_right: Point, bottom_left: Point) -> tuple[Array, list[Array]]:
    """Plane and outline of a rectangle by three of its corners, as they are seen from outside."""
    corner = np.array(top_left)
    u_axis, v_axis = np.array(top_right) - corner, np.array(bottom_left) - corner
    width, height = float(np.linalg.norm(u_axis)), float(np.linalg.norm(v_axis))
    pose = np.zeros((4, 3))
    pose[:3] = np.stack([u_axis / width, v_axis / height, corner], axis=1)
    pose[3, 2] = 1
    return pose, [box_outline(width, height)]


def wall(left: tuple[float, float], right: tuple[float, float], bottom: float, top: float) -> tuple[Array, list[Array]]:
    """Plane and outline of an upright rectangle between two ground points ``(x, z)``, heights in metres."""
    return rectangle((left[0], -top, left[1]), (right[0], -top, right[1]), (left[0], -bottom, left[1]))


def facing(points: Sequence[tuple[float, float]]) -> tuple[Array, list[Array]]:
    """Plane and outline of an upright shape that looks down the street; points are right and up, in metres."""
    return plane((0, 0, 0), (1, 0, 0), (0, 1, 0)), [np.array(points, np.float64) * (1, -1)]


def box_outline(width: float, height: float) -> Array:
    """A rectangle with one corner at the plane's origin."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)


def disc(centre: tuple[float, float], radius: float, corners: int = 12) -> list[tuple[float, float]]:
    """The corners of a regular polygon."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    return [(centre[0] + radius * float(np.cos(a)), centre[1] + radius * float(np.sin(a))) for a in angles]
