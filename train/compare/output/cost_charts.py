"""Accuracy against what it costs: latency of the students, time of the trainings (no torch)."""

from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from train.chart_style import COLOURS, FAINT, INK, SOFT, STYLE, literal, png
from train.compare.findings import ArmFindings, Findings, StudentFindings
from train.compare.output.side_labels import LINE_INCHES, Point, name_points

_LOOKS = ("teacher", "best method", "other arms", "baseline, tuned")
_AXES_SHARE = 0.78
"""Of the figure's height, about: the rest is title and labels."""


def student_chart(findings: Findings) -> bytes:
    """mIoU of each student's arms over its latency, or its MACs where a latency is missing."""
    timed = all(found.student.latency_ms is not None for found in findings.students)
    with rc_context(STYLE):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        for found in findings.students:
            x = found.student.latency_ms if timed else found.student.macs / 1e6
            assert x is not None
            _draw_student(axes, found, x)
        _draw_teacher(axes, findings)
        axes.margins(y=0.14)
        axes.set_xlim(0, 1.15 * axes.dataLim.x1)
        axes.set_xlabel("latency of the bundle, ms" if timed else "MACs of an image, millions")
        axes.set_title("mIoU over latency" if timed else "mIoU over MACs")
        _draw_legend(figure, axes)
        return png(figure)


def _draw_student(axes: Axes, found: StudentFindings, x: float) -> None:
    baseline, best = found.baseline, found.best
    others = [100 * arm.val.miou.mean for arm in found.arms if arm is not baseline and arm is not best]
    axes.plot([x] * len(others), others, "_", color=FAINT, markersize=9, label="other arms")
    if best is not baseline:
        _draw_arm(axes, best, x, "best method", COLOURS[0], "o")
    _draw_arm(axes, baseline, x, "baseline, tuned", INK, "D")
    top = 100 * max(arm.val.miou.mean + (arm.val.miou.std or 0) for arm in found.arms)
    name = literal(f"{found.student.name}\n{best.method}")
    halo = [withStroke(linewidth=3, foreground="white")]
    look: Any = {"ha": "center", "fontsize": 8.5, "color": INK, "path_effects": halo}
    axes.annotate(name, (x, top), (0, 6), textcoords="offset points", **look)


def _draw_legend(figure: Figure, axes: Axes) -> None:
    """Each look once, below the axes, where it covers nothing."""
    handles = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    names = [name for name in _LOOKS if name in handles]
    place: Any = {"loc": "outside lower center", "ncols": len(names), "columnspacing": 1.2, "handletextpad": 0.5}
    figure.legend([handles[name] for name in names], names, **place)


def _draw_teacher(axes: Axes, findings: Findings) -> None:
    teacher = findings.results.teacher
    if teacher:
        axes.axhline(100 * teacher["miou"], linestyle="--", linewidth=1.2, color=SOFT, label="teacher")


def time_chart(found: StudentFindings) -> bytes | None:
    """mIoU of each arm of a student over the time of its training; None: no time is on record."""
    timed = [(arm, arm.seconds) for arm in found.arms if arm.seconds is not None]
    if not timed:
        return None
    unit, seconds = ("hours", 3600.0) if max(time for _, time in timed) >= 5400 else ("minutes", 60.0)
    height = max(3.6, LINE_INCHES * len(timed) / _AXES_SHARE)
    with rc_context({**STYLE, "figure.figsize": (5.2, height)}):
        figure = Figure(layout="constrained")
        axes = figure.subplots()
        points = []
        for arm, time in timed:
            colour, marker = _look(arm, found)
            _draw_arm(axes, arm, time / seconds, "", colour, marker)
            bold = arm.arm.kind == "baseline"
            points.append(Point(time / seconds, 100 * arm.val.miou.mean, arm.method, colour, bold))
        axes.set_xlim(left=0)
        axes.margins(x=0.08, y=0.1)
        axes.set_xlabel(f"training, {unit}")
        axes.set_title(literal(f"{found.student.name}: mIoU over training time"))
        name_points(axes, points, _AXES_SHARE * height)
        return png(figure)


def _draw_arm(axes: Axes, arm: ArmFindings, x: float, label: str, colour: str, marker: str) -> None:
    """Its mean over seeds, and a bar of one standard deviation to each side."""
    miou = arm.val.miou
    bar = None if miou.std is None else 100 * miou.std
    look: Any = {"color": colour, "marker": marker, "markersize": 6, "linewidth": 0, "elinewidth": 1.4}
    axes.errorbar(x, 100 * miou.mean, bar, label=label or None, **look)


def _look(arm: ArmFindings, found: StudentFindings) -> tuple[str, str]:
    """Colour and marker: coloured is what differs from the baseline for sure."""
    if arm.arm.kind != "method":
        return INK, "D"
    difference = arm.val.against.get(found.baseline.method)
    if difference is None or not difference.shown:
        return SOFT, "o"
    return (COLOURS[0] if difference.mean > 0 else COLOURS[1]), "o"
