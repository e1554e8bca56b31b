"""Charts of a run as PNG bytes: curves over steps, and the confusion matrix (no torch)."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from train.calibration import Reliability
from train.chart_style import COLOURS, INK, SOFT, STYLE, literal, png
from train.history import Curve

_LARGEST_PRINTED_MATRIX = 20


def loss_chart(
    terms: Mapping[str, Curve], learning_rate: Curve | None = None, title: str = "Loss terms, weighted"
) -> bytes:
    """Each loss term and its moving average on a logarithmic axis; below, the learning rate, where it is given."""
    with rc_context(STYLE):
        figure = Figure(layout="constrained")
        if learning_rate is None:
            _draw_losses(figure.subplots(), terms, title)
            _step_axis(figure.axes[0])
            return png(figure)
        losses, rate = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        _draw_losses(losses, terms, title)
        rate.plot(*learning_rate, color=SOFT, linewidth=1.5)
        rate.set_title("Learning rate")
        rate.set_ylim(bottom=0)
        rate.yaxis.set_major_formatter(FuncFormatter(_plain_number))
        _step_axis(rate)
        return png(figure)


def _draw_losses(axes: Axes, terms: Mapping[str, Curve], title: str) -> None:
    for colour, (name, (steps, values)) in zip(_cycle(len(terms)), terms.items(), strict=True):
        axes.plot(steps, values, color=colour, alpha=0.25, linewidth=0.8)
        axes.plot(steps, _moving_average(values), color=colour, linewidth=1.8, label=literal(name))
    positive = [value for _, values in terms.values() for value in values if value > 0]
    if positive:
        axes.set_yscale("log", nonpositive="mask")
        few_decades = max(positive) < 100 * min(positive)
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if few_decades else (1,)))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(_plain_number))
    axes.set_title(title)
    axes.legend(ncols=2)


def score_chart(scores: Mapping[str, Curve], title: str = "Scores on the val split") -> bytes:
    """Scores in 0..1 over steps; the best of the first is marked."""
    with rc_context(STYLE):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        for colour, (name, (steps, values)) in zip(_cycle(len(scores)), scores.items(), strict=True):
            axes.plot(steps, values, color=colour, marker="o", markersize=3.5, linewidth=1.8, label=literal(name))
        steps, values = next(iter(scores.values()))
        best = int(np.argmax(values))
        axes.plot(steps[best], values[best], "o", color=COLOURS[0], markersize=9, markerfacecolor="none")
        axes.set_title(title)
        axes.set_ylim(0, 1)
        axes.legend(ncols=3, loc="lower right")
        _step_axis(axes)
        return png(figure)


def reliability_chart(curves: Mapping[str, Reliability]) -> bytes:
    """Accuracy over confidence in each bin that has pixels; below, the share of all pixels that each bin has."""
    with rc_context(STYLE):
        figure = Figure(layout="constrained")
        accuracy, share = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        accuracy.plot([0, 1], [0, 1], ":", color=SOFT, linewidth=1.2)
        for colour, (name, curve) in zip(_cycle(len(curves)), curves.items(), strict=True):
            filled = curve.pixels > 0
            points = curve.confidence[filled], curve.accuracy[filled]
            accuracy.plot(*points, color=colour, marker="o", markersize=3.5, linewidth=1.8, label=literal(name))
            edges = np.linspace(0, 1, len(curve.pixels) + 1)
            share.stairs(curve.pixels / max(1, curve.pixels.sum()), edges, color=colour, linewidth=1.5)
        accuracy.set_title("Accuracy over confidence")
        accuracy.set(xlim=(0, 1), ylim=(0, 1))
        accuracy.legend(loc="upper left")
        share.set_title("Share of the pixels")
        share.set_ylim(0, 1)
        share.set_xlabel("confidence")
        return png(figure)


def confusion_chart(counts: NDArray[np.int64], classes: Sequence[str]) -> bytes:
    """Rows: label, columns: prediction, in percent of the row; a class without a labelled pixel has an empty row."""
    totals = counts.sum(axis=1, keepdims=True)
    share = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)
    side = 1.5 + 0.34 * min(len(classes), 40)
    with rc_context({**STYLE, "axes.grid": False, "figure.figsize": (side, side)}):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        names = [literal(name) for name in classes]
        font_size = 9 if len(classes) <= 40 else 4
        axes.set_xticks(range(len(classes)), names, rotation=90, fontsize=font_size)
        axes.set_yticks(range(len(classes)), names, fontsize=font_size)
        axes.set_xlabel("prediction")
        axes.set_ylabel("label")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        if len(classes) <= _LARGEST_PRINTED_MATRIX:
            _print_percent(axes, share)
        return png(figure)


def _print_percent(axes: Axes, share: NDArray[np.float64]) -> None:
    for (row, column), value in np.ndenumerate(share):
        if value >= 0.005:
            colour = "white" if value > 0.5 else INK
            axes.text(column, row, f"{100 * value:.0f}", ha="center", va="center", fontsize=8, color=colour)


def _moving_average(values: Sequence[float]) -> NDArray[np.float64]:
    """Centred, over about a twentieth of the curve."""
    window = np.ones(min(len(values), 1 + 2 * (len(values) // 40)))
    sums: NDArray[np.float64] = np.convolve(values, window, mode="same")
    return sums / np.convolve(np.ones(len(values)), window, mode="same")


def _cycle(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def _plain_number(value: float, _position: int) -> str:
    return f"{value:g}"


def _step_axis(axes: Axes) -> None:
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
