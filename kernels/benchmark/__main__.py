"""Time and memory of every operation, beside the formula as public code writes it.

python -m kernels.benchmark                      a table, on the GPU where there is one
python -m kernels.benchmark --device cpu --shapes camvid --only pixel_kl --csv rows.csv
"""

import argparse
import csv
import datetime
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from kernels.benchmark.cases import SHAPES, SHAPES_ON_CPU, Case, Inputs, Loss, cases
from kernels.benchmark.measure import copy_rate, free_bytes, matrix_rate, milliseconds, peak_megabytes


@dataclass(frozen=True)
class Row:
    """One form of one operation at one size."""

    operation: str
    size: str
    form: str
    forward_ms: float | None
    """With no gradient wanted."""
    both_ms: float | None
    """Forward and backward; None for what has no gradient."""
    peak_mb: float | None
    """Of both, above the inputs and their gradient."""
    floor_ms: float
    """Of both, at the rate of a copy or of a matrix product, whichever takes longer."""
    gb_per_s: float | None
    """What any form must move, over the time of both."""
    gflop_per_s: float | None
    note: str
    device: str
    dtype: str
    torch: str
    threads: int
    date: str


@dataclass(frozen=True)
class Bench:
    """What is measured, and on what."""

    device: torch.device
    dtype: torch.dtype
    bytes_per_s: float
    operations_per_s: float
    compiled: bool
    budget_s: float


@dataclass(frozen=True)
class Form:
    """One way to compute a case."""

    name: str
    loss: Loss
    bytes_moved: float
    """Forward and backward, as `operations`."""
    operations: float
    bytes_held: float


def main() -> None:
    """Measure, print, write."""
    options = _options()
    torch.set_num_threads(options.threads)
    device, dtype = torch.device(options.device), getattr(torch, options.dtype)
    rates = copy_rate(device), matrix_rate(device, dtype)
    print(f"copy {rates[0] / 1e9:.1f} GB/s, matrix product {rates[1] / 1e9:.0f} GFLOP/s", file=sys.stderr)
    bench = Bench(device, dtype, *rates, options.compile, options.budget)
    rows: list[Row] = []
    for case in cases(_shapes(options)):
        if options.only and case.operation not in options.only:
            continue
        for row in _measure(case, bench):
            rows.append(row)
            print(_line(row), flush=True)
            _write(rows, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, help=f"cpu or cuda (default: {default})")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float16", "bfloat16"), help="of the maps")
    few = " ".join(SHAPES_ON_CPU)
    parser.add_argument(
        "--shapes", nargs="+", choices=("all", *SHAPES), help=f"only these (default: all on a GPU; on a CPU {few})"
    )
    parser.add_argument("--only", nargs="+", metavar="OPERATION", help="only these operations (default: all)")
    parser.add_argument(
        "--threads", type=int, default=1, help="of the CPU (default: 1, timed by the thread's own clock)"
    )
    parser.add_argument("--budget", type=float, default=1.0, help="for the runs of one measurement, in s (default: 1)")
    parser.add_argument("--compile", action="store_true", help="torch.compile of the eager form as well; slow to start")
    parser.add_argument("--json", type=Path, help="write the rows there, as they come")
    parser.add_argument("--csv", type=Path, help="write the rows there, as they come")
    return parser.parse_args()


def _shapes(options: argparse.Namespace) -> tuple[str, ...]:
    if options.shapes is None:
        return SHAPES if options.device == "cuda" else SHAPES_ON_CPU
    return SHAPES if "all" in options.shapes else tuple(options.shapes)


def _measure(case: Case, bench: Bench) -> Iterator[Row]:
    inputs = case.inputs(bench.device, bench.dtype)
    for form in _forms(case, inputs, bench):
        free = 0.8 * free_bytes(bench.device)
        if form.bytes_held > free:
            note = f"not run: it holds about {form.bytes_held / 1e9:.0f} GB, and {free / 1e9:.0f} are free"
            yield _row(case, form, (None, None, None), note, bench)
            continue
        try:
            cost, note = _cost(form.loss, inputs, bench), ""
        except RuntimeError as error:  # out of memory, or a compiler that gave up
            cost, note = (None, None, None), f"failed: {str(error).splitlines()[0]}"
        yield _row(case, form, cost, note, bench)


def _forms(case: Case, inputs: Inputs, bench: Bench) -> Iterator[Form]:
    item = inputs["student"].element_size()
    moved, operations = case.maps[1] * item * case.size.elements, case.products[1]
    eager_bytes = max(item, 4) * case.eager_elements
    # Ours holds a few maps and what it copies of them in fp32.
    yield Form("ours", case.ours, moved, operations, 4 * 4 * case.size.elements)
    yield Form("eager", case.eager, moved, operations, eager_bytes)
    if bench.compiled:
        torch.compiler.reset()
        yield Form("compiled", torch.compile(case.eager, dynamic=False), moved, operations, eager_bytes)
    if case.yardstick is not None:
        loss, of_yardstick = case.yardstick.loss, case.yardstick.products[1]
        yield Form(case.yardstick.form, loss, moved, of_yardstick, 8 * item * case.size.elements)


Cost = tuple[float | None, float | None, float | None]


def _cost(loss: Loss, inputs: Inputs, bench: Bench) -> Cost:
    """(forward ms, forward and backward ms, peak MB)."""

    def forward() -> None:
        with torch.no_grad():
            loss(inputs)

    def both() -> None:
        inputs["student"].grad = None
        value = loss(inputs)
        if value.requires_grad:
            torch.autograd.backward(value)

    forward_ms, both_ms = (milliseconds(run, bench.device, bench.budget_s) for run in (forward, both))
    has_gradient = inputs["student"].grad is not None
    return forward_ms, both_ms if has_gradient else None, peak_megabytes(both, bench.device)


def _row(case: Case, form: Form, cost: Cost, note: str, bench: Bench) -> Row:
    forward, both, peak = cost
    taken = both or forward
    seconds = None if taken is None else taken / 1000
    floor_s = max(form.bytes_moved / bench.bytes_per_s, form.operations / bench.operations_per_s)
    cuda = bench.device.type == "cuda"
    return Row(
        operation=case.operation,
        size=str(case.size),
        form=form.name,
        forward_ms=_rounded(forward),
        both_ms=_rounded(both),
        peak_mb=_rounded(peak),
        floor_ms=round(1000 * floor_s, 3),
        gb_per_s=_rounded(form.bytes_moved / seconds / 1e9) if seconds else None,
        gflop_per_s=_rounded(form.operations / seconds / 1e9) if seconds and form.operations else None,
        note=note,
        device=torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine(),
        dtype=str(bench.dtype).removeprefix("torch."),
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        date=datetime.date.today().isoformat(),
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _line(row: Row) -> str:
    forward, both, peak = (
        "-" if value is None else f"{value:.1f}" for value in (row.forward_ms, row.both_ms, row.peak_mb)
    )
    return (
        f"{row.operation:24} {row.size:26} {row.form:9} forward {forward:>9} ms  both {both:>9} ms  "
        f"floor {row.floor_ms:8.2f} ms  peak {peak:>8} MB  {row.note}"
    )


def _write(rows: list[Row], options: argparse.Namespace) -> None:
    if options.json:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    if options.csv:
        with options.csv.open("w", newline="") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Row)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(row) for row in rows)


if __name__ == "__main__":
    main()
