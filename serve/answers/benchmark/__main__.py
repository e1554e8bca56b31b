"""Time the answers' encoders beside other libraries': ``python -m serve.answers.benchmark BUNDLE``."""

import argparse
import time
from pathlib import Path
from statistics import median

import cv2
from pydantic import BaseModel, Field
from rich import box
from rich.console import Console
from rich.progress import track
from rich.table import Table

from export.bundle import load_bundle
from serve.answers.benchmark.cases import Case, cases
from serve.answers.benchmark.street import CLASSES, HEIGHT, WIDTH, street
from train.command import command
from train.errors import UserError

DESCRIPTION = f"""Time, on one thread, how class ids of {HEIGHT} x {WIDTH} pixels and {CLASSES} classes are made and
written, beside other libraries' ways to do the same: medians of CPU time, the ways taking turns, so that other programs
on the machine count as little as can be. The street scene is what the bundle says of its own samples."""


class Row(BaseModel):
    """One way of one task."""

    task: str
    way: str
    cpu_ms: float = Field(description="median of the thread's CPU time")
    ratio: float | None = Field(description="to the time of the task's reference; null where there is none")
    kilobytes: float | None = Field(description="of the answer; null where the way writes none")


def main() -> None:
    """Measure, show, and write what was asked for."""
    options = _parser().parse_args()
    if options.samples < 1:
        raise UserError(f"--samples {options.samples}: at least 1")
    cv2.setNumThreads(1)
    rows = _measured(cases(street(load_bundle(options.bundle))), options.samples)
    Console().print(_table(rows))
    if options.json is not None:
        lines = ",\n".join(row.model_dump_json() for row in rows)
        options.json.write_text(f"[{lines}]\n", encoding="utf-8")


def _measured(all_cases: list[Case], samples: int) -> list[Row]:
    console = Console(stderr=True)
    sizes = [_kilobytes(case.run()) for case in all_cases]
    times: list[list[float]] = [[] for _ in all_cases]
    for _ in track(range(samples), "rounds", console=console, transient=True, disable=not console.is_terminal):
        for case, column in zip(all_cases, times, strict=True):
            start = time.thread_time()
            case.run()
            column.append((time.thread_time() - start) * 1e3)
    medians = [median(column) for column in times]
    references = {case.task: value for case, value in zip(all_cases, medians, strict=True) if case.is_reference}
    return [
        Row(
            task=case.task,
            way=case.way,
            cpu_ms=round(value, 3),
            ratio=round(value / references[case.task], 3) if case.task in references else None,
            kilobytes=size,
        )
        for case, value, size in zip(all_cases, medians, sizes, strict=True)
    ]


def _kilobytes(answer: object) -> float | None:
    return round(len(answer) / 1000, 1) if isinstance(answer, bytes) else None


def _table(rows: list[Row]) -> Table:
    table = Table(title=f"{HEIGHT} x {WIDTH}, {CLASSES} classes, CPU time", title_justify="left", box=box.SIMPLE)
    for column in ("task", "way"):
        table.add_column(column)
    for column in ("ms", "ratio", "kB"):
        table.add_column(column, justify="right")
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        table.add_row(
            row.task, row.way, f"{row.cpu_ms:.2f}", ratio, "" if row.kilobytes is None else f"{row.kilobytes}"
        )
    return table


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serve.answers.benchmark",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder with manifest.json and two samples")
    parser.add_argument("--samples", type=int, default=15, metavar="N", help="rounds that count; one more to warm up")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows there too, as JSON")
    return parser


if __name__ == "__main__":
    command(main)
