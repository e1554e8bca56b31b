"""A picture of the sweeps: latency over throughput, with the knee."""

from pathlib import Path

from serve.benchmark.knee import RULE, knee
from serve.benchmark.point import LoadPoint

_NAMES = {"closed": "closed loop, clients", "open": "open loop, requests/s"}
_COLOURS = {"closed": "#0072B2", "open": "#D55E00"}


def write_plot(points: list[LoadPoint], title: str, path: Path) -> None:
    """Median (line) and p99 (dashes) of each level, in milliseconds, over its throughput; logarithmic."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # of the benchmark extra, and only wanted here
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.2), layout="constrained", dpi=160)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for loop, colour in _COLOURS.items():
        row = [point for point in points if point.loop == loop and point.p50_ms is not None]
        if not row:
            continue
        x = [point.throughput for point in row]
        axes.plot(x, [point.p50_ms or 0.0 for point in row], "o-", color=colour, label=f"{_NAMES[loop]}: p50")
        axes.plot(x, [point.p99_ms or 0.0 for point in row], "s--", color=colour, alpha=0.6, label="p99")
        for point in row:
            axes.annotate(
                f"{point.offered:g}", (point.throughput, point.p50_ms or 0), (4, -11), textcoords="offset points"
            )
        best = knee(row)
        if best is not None:
            label = f"knee: {RULE}"
            axes.plot(best.throughput, best.p50_ms or 0, "o", ms=14, mfc="none", color=colour, label=label)
    axes.set(xlabel="answers a second", ylabel="latency, ms", yscale="log", title=title)
    axes.set_xlim(left=0)
    axes.grid(True, which="both", color="#e8eaed")
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(path)
