"""The levels of load as tables, and in words what to beware of."""

from rich import box
from rich.table import Table

from serve.benchmark.console import table_console
from serve.benchmark.knee import RULE, knee
from serve.benchmark.observation import Windows
from serve.benchmark.point import LoadPoint

_TITLES = {"closed": "closed loop: clients that wait for their answer", "open": "open loop: requests a second, Poisson"}
_ABSENT = "-"


def show_points(points: list[LoadPoint]) -> None:
    """A table for each loop: what came back, then where its time went and what it cost."""
    console = table_console()
    for loop, title in _TITLES.items():
        rows = [point for point in points if point.loop == loop]
        if rows:
            console.print(_answers(title, rows))
            console.print(_costs(rows))


def notes_on(points: list[LoadPoint], windows: Windows) -> list[str]:
    """One line for each thing that makes a number doubtful, and the knee of each curve."""
    lines = []
    for point in points:
        where = f"{point.loop} loop, {point.offered:g}"
        if not point.stable:
            apart = "no answers" if point.spread is None else f"{point.spread:.0%} off their mean"
            lines.append(
                f"{where}: never stable in {point.windows} windows of {windows.seconds:g} s (the last: {apart})"
            )
        if point.client_is_slow:
            took = f"{point.client_cores:.0%} of a core, requests up to {point.client_late_p99_ms:.1f} ms late (p99)"
            lines.append(
                f"{where}: this client is too slow or had no core to itself ({took}): measure from another machine"
            )
        if point.throttled:
            lines.append(f"{where}: the clock was held down ({', '.join(point.throttled)})")
    for loop in _TITLES:
        best = knee([point for point in points if point.loop == loop])
        if best is not None:
            lines.append(f"{loop} loop, knee of the curve: {best.offered:g}, {best.throughput:.1f}/s ({RULE})")
    return lines


def _answers(title: str, rows: list[LoadPoint]) -> Table:
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    columns = ("load", "answers/s", "p50 ms", "p90", "p99", "max", "requests", "errors", "stable", "client")
    for column in columns:
        table.add_column(column, justify="left" if column == "errors" else "right")
    for point in rows:
        latencies = (_number(value) for value in (point.p50_ms, point.p90_ms, point.p99_ms, point.max_ms))
        errors = ", ".join(f"{count} x {kind}" for kind, count in sorted(point.errors.items()))
        stable = "yes" if point.stable else "no"
        cells = (f"{point.offered:g}", f"{point.throughput:.1f}", *latencies, str(point.requests), errors or "none")
        table.add_row(*cells, stable, f"{point.client_cores:.0%}")
    return table


def _costs(rows: list[LoadPoint]) -> Table:
    table = Table(box=box.SIMPLE)
    stages = list(dict.fromkeys(stage for point in rows for stage in point.stages_ms))
    measured = {
        "CPU ms": [point.server_cpu_ms for point in rows],
        "MiB": [point.server_memory_mib for point in rows],
        "W": [point.power_w for point in rows],
        "mJ": [point.energy_mj for point in rows],
        "MHz": [point.clock_mhz for point in rows],
        "GPU MiB": [point.gpu_memory_mib for point in rows],
        "503 p99": [point.refused_p99_ms for point in rows],
    }
    columns = {name: values for name, values in measured.items() if any(value is not None for value in values)}
    for column in ("load", *(f"{stage} ms" for stage in stages), *columns):
        table.add_column(column, justify="right")
    for index, point in enumerate(rows):
        by_stage = (_number(point.stages_ms.get(stage)) for stage in stages)
        table.add_row(f"{point.offered:g}", *by_stage, *(_number(values[index]) for values in columns.values()))
    return table


def _number(value: float | None) -> str:
    return _ABSENT if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"
