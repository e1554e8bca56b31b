"""Offer one level of load after the other, and say how each went."""

from collections.abc import Sequence

from rich.console import Console

from serve.benchmark.connection import Target
from serve.benchmark.load import ClosedLoop, Load
from serve.benchmark.observation import Windows, observe
from serve.benchmark.point import LoadPoint, Reading, load_point
from serve.benchmark.server_usage import server_usage
from serve.board.board import Board


def sweep(
    target: Target, loads: Sequence[Load], windows: Windows, pid: int | None, board: Board | None
) -> list[LoadPoint]:
    """A point for each load, in their order; ``pid``: the server's process, if it is on this machine.

    Says on stderr what comes next and how long it takes at most.
    """

    def read() -> Reading:
        return Reading(
            server=None if pid is None else server_usage(pid),
            board=None if board is None else board.read(),
        )

    console = Console(stderr=True)
    points = []
    for number, load in enumerate(loads, 1):
        left_s = (len(loads) - number + 1) * (windows.most * windows.seconds + windows.warmup_s)
        console.print(
            f"load {number} of {len(loads)}: {describe(load)}; all done within {left_s:.0f} s", highlight=False
        )
        points.append(load_point(load, observe(load, target, windows, read)))
    return points


def describe(load: Load) -> str:
    """In words."""
    if isinstance(load, ClosedLoop):
        return f"{load.concurrency} clients, each waiting for its answer"
    return f"{load.rate:g} requests a second, whatever comes back"
