"""The regions of a class map as exact outlines along the corners of pixels.

A corner ``(x, y)`` is the upper left one of the pixel in column ``x`` and row ``y``; the map reaches from ``(0, 0)`` to
``(W, H)``. An outline has the area of its pixels, and neighbours share their border. ``cv2.findContours`` goes through
the middle of pixels instead: half a pixel is missing all around, and a line of pixels has no area.

All regions are traced at once. Every point where an outline turns is found by the four pixels around it; sorted along
its row, and along its column, each is next to the one where the straight line ends.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from train.errors import UserError

Ring = NDArray[np.int32]
"""Corners ``(P, 2)`` as ``x, y``, the last joined to the first."""

Indices = NDArray[np.int64]

NOTHING = 255
"""The value that is around the map, and that is never outlined."""

MAX_CORNERS = 250_000
"""Of pixels, where outlines turn. A street of 1024 x 2048 pixels has 32 000; so many of noise are 3 s, 0.5 GB, 37 MB of
GeoJSON, which is more than a client may ask of a server that it shares."""

_IS_BELOW = np.array([False, False, True, True])  # of the pixels around a corner: nw, ne, se, sw
_IS_EAST = np.array([False, True, True, False])


@dataclass(frozen=True)
class Region:
    """Pixels of one class that hang together by their sides."""

    id: int
    pixels: int
    rings: list[Ring]
    """The exterior, then the holes. No ring touches itself.

    In ``(x, y)`` the exterior has a positive area and the holes have negative ones.
    """


class _Turns(NamedTuple):
    """Where outlines turn, ``(V,)`` each, from the top left."""

    x: Indices
    y: Indices
    id: NDArray[np.uint8]
    left: NDArray[np.bool_]
    """Whether it is the left end of its horizontal line; else the right one."""
    top: NDArray[np.bool_]
    below: NDArray[np.bool_]
    """Whether the region is below its horizontal line."""
    east: NDArray[np.bool_]


def regions(ids: NDArray[np.uint8], classes: int) -> list[Region]:
    """The regions of ``ids`` ``(H, W)`` below ``classes`` (at most `NOTHING`), from the top left.

    Raises:
        UserError: the outlines have more than `MAX_CORNERS`.
    """
    padded = np.pad(ids, 1, constant_values=NOTHING)
    corners = _corners(padded)
    if corners.size > MAX_CORNERS:
        raise UserError(f"the outlines have {corners.size} corners, the limit is {MAX_CORNERS}: accept image/png")
    turns, touching = _turns(padded, corners, min(classes, NOTHING))
    if turns.x.size == 0:
        return []
    along_column = _sorted_ends(turns.x, turns.east, turns.y, turns.top)
    following = _following(turns, along_column)
    following = _cut_where_touching(following, touching)
    order, starts = _rings(following)
    areas = np.add.reduceat((turns.x * turns.y[following] - turns.x[following] * turns.y)[order], starts) // 2
    parents = _parents(padded, turns, along_column, order, starts, areas)
    return _assembled(turns, order, starts, areas, parents)


def _corners(padded: NDArray[np.uint8]) -> Indices:
    """Where a vertical and a horizontal border meet, as flat indices into ``(H + 1, W + 1)``."""
    vertical = padded[:, :-1] != padded[:, 1:]
    horizontal = padded[:-1] != padded[1:]
    return np.flatnonzero((vertical[:-1] | vertical[1:]) & (horizontal[:, :-1] | horizontal[:, 1:]))


def _turns(padded: NDArray[np.uint8], corners: Indices, classes: int) -> tuple[_Turns, Indices]:
    """The turns, and the pairs ``(T, 2)`` of those where two pixels of a class meet with nothing but a corner."""
    y, x = np.divmod(corners, padded.shape[1] - 1)
    around = np.stack([padded[y, x], padded[y, x + 1], padded[y + 1, x + 1], padded[y + 1, x]], axis=1)
    before, opposite, after = (np.roll(around, shift, axis=1) for shift in (1, 2, 3))
    outward = (around != before) & (around != after)
    inward = (around == before) & (around == after) & (around != opposite)
    is_turn = (outward | inward) & (around < classes)
    corner, quadrant = np.nonzero(is_turn)
    outward_here, below, east = outward[corner, quadrant], _IS_BELOW[quadrant], _IS_EAST[quadrant]
    left, top = east == outward_here, below == outward_here
    turns = _Turns(x[corner], y[corner], around[corner, quadrant], left, top, below, east)
    number = np.cumsum(is_turn.reshape(-1)).reshape(is_turn.shape) - 1
    where, first = np.nonzero((outward & is_turn & (around == opposite))[:, :2])
    return turns, np.stack([number[where, first], number[where, first + 2]], axis=1)


def _sorted_ends(line: Indices, side: NDArray[np.bool_], place: Indices, begins: NDArray[np.bool_]) -> Indices:
    """The turns, sorted so that the two ends of each straight line are neighbours: ``(V / 2, 2)``."""
    return np.argsort(_key(line, side, place, begins), kind="stable").reshape(-1, 2)


def _key(line: Indices, side: NDArray[np.bool_], place: Indices, begins: NDArray[np.bool_]) -> Indices:
    return np.asarray((((line << 1 | side) << 30) | place) << 1 | begins)


def _following(turns: _Turns, along_column: Indices) -> Indices:
    """The next turn of each, clockwise as seen on a screen: the region is on the right hand."""
    following = np.empty(turns.x.size, np.int64)
    left, right = _sorted_ends(turns.y, turns.below, turns.x, turns.left).T
    eastward = turns.below[left]
    following[np.where(eastward, left, right)] = np.where(eastward, right, left)
    top, bottom = along_column.T
    northward = turns.east[top]
    following[np.where(northward, bottom, top)] = np.where(northward, top, bottom)
    return following


def _rings(following: Indices) -> tuple[Indices, Indices]:
    """The turns ring by ring, each from its top left on, and where each ring begins."""
    next_of = following.tolist()
    unseen = bytearray(b"\1") * len(next_of)
    order: list[int] = []
    starts: list[int] = []
    for first in range(len(next_of)):
        if unseen[first]:
            starts.append(len(order))
            turn = first
            while unseen[turn]:
                unseen[turn] = 0
                order.append(turn)
                turn = next_of[turn]
    return np.array(order), np.array(starts)


def _cut_where_touching(following: Indices, touching: Indices) -> Indices:
    """Make two rings of one that passes through the same corner twice."""
    first = _first_of_ring(following)
    one, other = touching[first[touching[:, 0]] == first[touching[:, 1]]].T
    cut = np.array(following)
    cut[one], cut[other] = following[other], following[one]
    return cut


def _first_of_ring(following: Indices) -> Indices:
    """The lowest turn of each turn's ring; every round sees twice as far ahead."""
    first, ahead = np.arange(following.size), following
    while True:
        lower = np.minimum(first, first[ahead])
        if (lower == first).all():
            return first
        first, ahead = lower, ahead[ahead]


def _parents(
    padded: NDArray[np.uint8], turns: _Turns, along_column: Indices, order: Indices, starts: Indices, areas: Indices
) -> Indices:
    """The exterior ring of each ring.

    Left of a hole's top left corner the region goes on, up to a border that belongs to another of its rings.
    """
    parents = np.arange(starts.size)
    holes = np.flatnonzero(areas < 0)
    first = order[starts[holes]]
    borders = np.flatnonzero(padded[:, :-1] != padded[:, 1:])
    width = padded.shape[1] - 1
    row = turns.y[first]  # of the padded map: the one above the corner
    left = borders[np.searchsorted(borders, row * width + turns.x[first], side="right") - 1] % width
    tops = along_column[:, 0]
    keys = _key(turns.x[tops], turns.east[tops], turns.y[tops], turns.top[tops])
    yes = np.ones(left.size, np.bool_)
    found = np.searchsorted(keys, _key(left, yes, row - 1, yes), side="right") - 1
    ring = np.empty(order.size, np.int64)
    ring[order] = np.repeat(parents, np.diff(starts, append=order.size))
    parents[holes] = ring[tops[found]]
    while (areas[parents] < 0).any():
        parents = parents[parents]
    return parents


def _assembled(turns: _Turns, order: Indices, starts: Indices, areas: Indices, parents: Indices) -> list[Region]:
    points = np.stack([turns.x, turns.y], axis=1).astype(np.int32)[order]
    pixels = np.zeros(starts.size, np.int64)
    np.add.at(pixels, parents, areas)
    ends = [*starts.tolist(), order.size]
    rings: dict[int, list[Ring]] = {int(ring): [] for ring in np.flatnonzero(areas > 0)}
    for ring in np.argsort(areas < 0, kind="stable").tolist():
        rings[int(parents[ring])].append(points[ends[ring] : ends[ring + 1]])
    ids = turns.id[order[starts]].tolist()
    return [Region(ids[ring], int(pixels[ring]), of_region) for ring, of_region in rings.items()]
