"""Names of points in a column beside the axes, where they cannot cover each other (no torch)."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from train.chart_style import FAINT, literal

LINE_INCHES = 0.165
"""Of a name, with the air around it."""
_POINTS = 8.5


class Point(NamedTuple):
    """A point of the axes, and what it is called."""

    x: float
    y: float
    name: str
    colour: str
    bold: bool = False


def name_points(axes: Axes, points: Sequence[Point], height_inches: float) -> None:
    """Names to the right of the axes in the order of the points' heights, each with a line to its own.

    Args:
        axes: whose limits stay as they are from here on.
        points: in data coordinates.
        height_inches: of the axes.
    """
    low, high = axes.get_ylim()
    gap = (high - low) * LINE_INCHES / height_inches
    ordered = sorted(points, key=lambda point: point.y)
    heights = spaced([point.y for point in ordered], gap, low, high)
    for point, height in zip(ordered, heights, strict=True):
        axes.annotate(
            literal(point.name),
            (point.x, point.y),
            xytext=(1.05, (height - low) / (high - low)),
            textcoords="axes fraction",
            va="center",
            color=point.colour,
            fontsize=_POINTS,
            fontweight="bold" if point.bold else "normal",
            arrowprops={"arrowstyle": "-", "color": FAINT, "linewidth": 0.6, "shrinkA": 2, "shrinkB": 4},
            annotation_clip=False,
        )


def spaced(values: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Ascending values moved apart to ``gap`` at least, between ``low`` and ``high`` as far as there is room."""
    moved: list[float] = []
    for value in values:
        moved.append(max(value, moved[-1] + gap if moved else low))
    limit = high
    for index in reversed(range(len(moved))):
        moved[index] = min(moved[index], limit)
        limit = moved[index] - gap
    return moved
