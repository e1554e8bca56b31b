"""Networks of the catalogue with what they cost here, and which of them fit a budget."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from rich import box
from rich.table import Table

from train.data.resize import Size
from train.models.budget import Budget
from train.models.build import build_model, cost
from train.models.catalogue import Entry, Role, weights
from train.models.latency import medians, passes
from train.models.network import SegmentationNetwork
from train.progress import progress
from train.quantities import with_prefix


@dataclass(frozen=True)
class Row:
    """One network of the list."""

    name: str
    role: Role
    model: dict[str, Any]
    """Its part of a config, ``model:``, without weights."""
    height: int
    width: int
    parameters: int
    macs: int
    ms: float | None
    """None: not timed."""
    fits: bool | None
    """None: no budget was given, or it is a teacher."""
    weights: str


def list_models(entries: list[Entry], size: Size, classes: int, samples: int, budget: Budget | None) -> list[Row]:
    """Build, count and time the networks; ``samples`` 0: no timing."""
    networks = [build_model(entry.model, classes) for entry in progress(entries, "build", len(entries))]
    sizes = [_rounded(size, network) for network in networks]
    costs = [cost(network, own) for network, own in progress(zip(networks, sizes, strict=True), "count", len(networks))]
    times: list[float | None] = [None] * len(networks)
    if samples:
        times = [*medians(progress(passes(networks, sizes, samples), "latency", samples))]
    return [
        Row(
            name=entry.name,
            role=entry.role,
            model=entry.model.model_dump(mode="json", exclude_defaults=True),
            height=own[0],
            width=own[1],
            parameters=found.parameters,
            macs=found.macs,
            ms=None if ms is None else round(ms, 2),
            fits=None if budget is None or ms is None or entry.role == "teacher" else ms <= budget.ms,
            weights=weights(entry.model),
        )
        for entry, own, found, ms in zip(entries, sizes, costs, times, strict=True)
    ]


def _rounded(size: Size, network: SegmentationNetwork) -> Size:
    """Upwards to what the network takes."""
    height, width = (-(-side // network.multiple) * network.multiple for side in size)
    return height, width


def tables(rows: list[Row]) -> Iterator[Table]:
    """The rows as people read them: students, then teachers."""
    for role in get_args(Role):
        own = [row for row in rows if row.role == role]
        if own:
            yield _table(role, own)


def _table(role: Role, rows: list[Row]) -> Table:
    drawn = Table(box=box.SIMPLE, pad_edge=False)
    drawn.add_column(role, overflow="fold")
    for column in ("parameters", "MACs", "ms"):
        drawn.add_column(column, justify="right", no_wrap=True)
    for column in ("fits", "ImageNet weights"):
        drawn.add_column(column)
    for row in rows:
        drawn.add_row(
            row.name,
            with_prefix(row.parameters),
            with_prefix(row.macs),
            "-" if row.ms is None else f"{row.ms:.1f}",
            {None: "", True: "yes", False: "no"}[row.fits],
            row.weights,
        )
    return drawn


def verdict(rows: list[Row], budget: Budget) -> str:
    """Which students fit, the largest first; or how far the fastest is from it."""
    students = [(row, row.ms) for row in rows if row.role == "student" and row.ms is not None]
    fitting = sorted((row for row, _ in students if row.fits), key=lambda row: row.macs, reverse=True)
    if fitting:
        return f"within {budget.ms:g} ms here: {', '.join(row.name for row in fitting)}"
    fastest, ms = min(students, key=lambda found: found[1])
    return f"no student is within {budget.ms:g} ms here: the fastest, {fastest.name}, takes {ms:.1f} ms"
