"""Differences to the tuned baseline with their intervals: of mIoU, and class by class (no torch)."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from train.chart_style import COLOURS, INK, SOFT, STYLE, literal, png
from train.compare.findings import ArmFindings, StudentFindings
from train.compare.output.wording import COARSE_POINTS, signed
from train.compare.statistics import Difference

_ROW_INCHES = 0.3


def forest_chart(found: StudentFindings) -> bytes | None:
    """A row an arm: its difference to the baseline in mIoU; None: there is but the baseline."""
    arms = [arm for arm in found.arms if found.baseline.method in arm.val.against]
    if not arms:
        return None
    differences = [arm.val.against[found.baseline.method] for arm in arms]
    with rc_context({**STYLE, "figure.figsize": (5.2, max(1.7, 1.0 + _ROW_INCHES * len(arms)))}):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        axes.axvline(0, color=INK, linewidth=1)
        for row, difference in enumerate(differences):
            _draw_row(axes, row, difference)
        _name_rows(axes, arms)
        axes.set_xlabel(f"mIoU points above {literal(found.baseline.method)}, and the 95 % interval")
        axes.set_title(literal(f"{found.student.name}: what the methods gain"))
        return png(figure)


def _draw_row(axes: Axes, row: int, difference: Difference) -> None:
    colour = _colour(difference)
    if difference.low is not None and difference.high is not None:
        axes.plot([100 * difference.low, 100 * difference.high], [row, row], color=colour, linewidth=2)
    filled = colour if difference.shown else "white"
    axes.plot(100 * difference.mean, row, "o", color=colour, markerfacecolor=filled, markersize=6)
    said = signed(difference.mean) if difference.shown else "not shown"
    place = (1.02, row)
    axes.annotate(said, place, xycoords=("axes fraction", "data"), va="center", fontsize=8.5, color=colour)


def _name_rows(axes: Axes, arms: list[ArmFindings]) -> None:
    axes.set_yticks(range(len(arms)), [literal(arm.method) for arm in arms])
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def class_chart(found: StudentFindings) -> bytes | None:
    """Rows: methods, columns: classes; coloured where the interval holds no zero. None: there is but the baseline."""
    arms = [arm for arm in found.arms if arm.classes]
    if not arms:
        return None
    names = list(found.baseline.val.class_iou)
    differences = [[arm.classes.get(name) for name in names] for arm in arms]
    shown = [[100 * one.mean if one and one.shown else np.nan for one in row] for row in differences]
    reach = max([2.0, *np.abs(np.array(shown)[np.isfinite(shown)]).tolist()])
    size = (1.6 + 0.46 * len(names), 1.7 + _ROW_INCHES * len(arms))
    with rc_context({**STYLE, "axes.grid": False, "figure.figsize": size}):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        axes.imshow(shown, cmap="RdBu", vmin=-1.3 * reach, vmax=1.3 * reach, aspect="auto")
        for row, line in enumerate(differences):
            for column, one in enumerate(line):
                _print_cell(axes, row, column, one, reach)
        axes.set_xticks(range(len(names)), [literal(name) for name in names], rotation=45, ha="right")
        axes.set_yticks(range(len(arms)), [literal(arm.method) for arm in arms])
        axes.tick_params(length=0, labelcolor=INK)
        axes.spines[:].set_visible(False)
        axes.set_title(literal(f"{found.student.name}: IoU points above {found.baseline.method}"))
        return png(figure)


def _print_cell(axes: Axes, row: int, column: int, difference: Difference | None, reach: float) -> None:
    if difference is None:
        return
    colour = INK if difference.shown else SOFT
    if difference.shown and abs(100 * difference.mean) > 0.75 * reach:
        colour = "white"
    weight = "bold" if difference.shown else "normal"
    text = signed(difference.mean, COARSE_POINTS)
    axes.text(column, row, text, ha="center", va="center", fontsize=8, color=colour, fontweight=weight)


def _colour(difference: Difference) -> str:
    if not difference.shown:
        return SOFT
    return COLOURS[0] if difference.mean > 0 else COLOURS[1]
