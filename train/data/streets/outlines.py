"""Outlines as the camera sees them: projected, cut off before the camera, left out where they cannot be seen."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from train.data.resize import Size
from train.data.streets.scene import Scene
from train.data.streets.street import Array

SHIFT = 4
"""Fractional bits of the corners, as `cv2.fillPoly` takes them."""

Box = tuple[int, int, int, int]
Corners = NDArray[np.int32]


class Outline(NamedTuple):
    """A part of a surface, in samples of the picture."""

    surface: int
    corners: Corners  # (V, 2) in fixed point
    box: Box  # x0, y0, x1, y1 around it, clipped to the picture
    nearest_m: float  # depth of its nearest corner


_NEAR_M = 0.3
_FAINT = 1.5  # samples: smaller outlines would only flicker


def visible_outlines(scene: Scene, to_sample: Array, drawn: NDArray[np.bool_], size: Size) -> Iterator[Outline]:
    """The outlines of ``drawn`` surfaces ``(S,)`` that touch a picture of ``size`` samples.

    ``to_sample`` ``(S, 3, 3)`` takes the surfaces' planes to homogeneous samples. They come in the scene's order.
    """
    count = np.diff(scene.first_point)
    surface = np.repeat(scene.owner, count)
    kept = drawn[surface]
    projected = (to_sample[surface[kept]] @ scene.points[kept][:, :, None])[..., 0]
    owner, count = scene.owner[drawn[scene.owner]], count[drawn[scene.owner]]
    ends = np.cumsum(count)
    starts = ends - count
    depth = projected[:, 2]
    nearest, farthest = np.minimum.reduceat(depth, starts), np.maximum.reduceat(depth, starts)
    cut = (nearest < _NEAR_M) & (farthest > _NEAR_M)
    corners = projected[:, :2] / np.maximum(depth, _NEAR_M)[:, None]
    low, high = np.minimum.reduceat(corners, starts), np.maximum.reduceat(corners, starts)
    touches = ((high > 0) & (low < size[::-1])).all(axis=1) & ((high - low).max(axis=1) > _FAINT)
    chosen = np.flatnonzero((farthest > _NEAR_M) & (touches | cut))
    fixed, boxes = _fixed_point(corners), _boxes(low, high, size)
    owners, depths = owner.tolist(), nearest.tolist()
    for outline in chosen.tolist():
        span = slice(starts[outline], ends[outline])
        seen, box = fixed[span], boxes[outline]
        if cut[outline]:
            part = _before_camera(projected[span])
            seen, box = _fixed_point(part), _boxes(part.min(axis=0)[None], part.max(axis=0)[None], size)[0]
        if box[0] < box[2] and box[1] < box[3]:
            yield Outline(owners[outline], seen, box, max(depths[outline], _NEAR_M))


def _before_camera(projected: Array) -> Array:
    """Corners of the part of an outline ``(V, 3)`` that lies before the camera."""
    kept: list[Array] = []
    for point, following in zip(projected, np.roll(projected, -1, axis=0), strict=True):
        if point[2] >= _NEAR_M:
            kept.append(point)
        if (point[2] >= _NEAR_M) != (following[2] >= _NEAR_M):
            share = (_NEAR_M - point[2]) / (following[2] - point[2])
            kept.append(point + share * (following - point))
    points = np.array(kept)
    return points[:, :2] / points[:, 2:]


def _fixed_point(corners: Array) -> Corners:
    return np.asarray(np.round(corners * 2**SHIFT), np.int32)


def _boxes(low: Array, high: Array, size: Size) -> list[Box]:
    limits = (size[1], size[0])
    first = np.clip(np.floor(low), 0, limits)
    last = np.clip(np.ceil(high) + 1, 0, limits)
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in np.concatenate([first, last], axis=1).astype(int).tolist()]
