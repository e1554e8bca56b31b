"""A comparison as a picture: throughput and p99 by clients, one colour a server."""

from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tests.peers.comparison import Comparison
from tests.peers.levels import LEVELS

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def write_chart(found: Comparison, path: Path) -> None:
    figure = Figure(figsize=(9.0, 3.6), layout="constrained", dpi=160)
    FigureCanvasAgg(figure)
    throughput, p99 = figure.subplots(1, 2)
    width = 0.8 / len(found.levels)
    for number, label in enumerate(found.levels):
        where = [index + number * width for index in range(len(LEVELS))]
        colour = _COLOURS[number % len(_COLOURS)]
        for axes, name in ((throughput, "throughput"), (p99, "p99_ms")):
            axes.bar(
                where, [found.median(label, clients, name) for clients in LEVELS], width, color=colour, label=label
            )
    for label, rounds in found.bare.items():
        throughput.axhline(sorted(rounds)[len(rounds) // 2], color="#5f6368", linestyle=":", linewidth=1)
        throughput.annotate(label, (0, sorted(rounds)[len(rounds) // 2]), fontsize=7, color="#5f6368")
    for axes, title in ((throughput, "answers a second"), (p99, "p99, ms")):
        axes.set_xticks([index + 0.4 - width / 2 for index in range(len(LEVELS))], [str(n) for n in LEVELS])
        axes.set_xlabel("clients, each waiting for its answer")
        axes.set_title(title, loc="left", fontsize=10)
    p99.set_yscale("log")
    figure.legend(
        *throughput.get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside lower center", ncols=6
    )
    figure.savefig(path)
