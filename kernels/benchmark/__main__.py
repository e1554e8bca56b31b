"""Time and memory of every operation, beside the formula as public code writes it.

python -m kernels.benchmark                      a table, on the GPU where there is one
python -m kernels.benchmark --device cpu --sizes camvid --only pixel_kl --csv rows.csv
"""

import argparse
import csv
import datetime
import json
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from kernels.benchmark.cases import FEATURES, LOGITS, Case, Inputs, cases
from kernels.benchmark.measure import copy_rate, matrix_rate, milliseconds, peak_megabytes


@dataclass(frozen=True)
class Row:
    """One form of one operation at one size."""

    operation: str
    size: str
    form: str
    forward_ms: float | None
    both_ms: float | None
    """Forward and backward; None for what has no gradient."""
    peak_mb: float | None
    floor_ms: float
    """Forward and backward, at the rate of a copy or of a matrix product, whichever takes longer."""
    note: str
    device: str
    dtype: str
    torch: str
    threads: int
    date: str


def main() -> None:
    """Measure, print, write."""
    options = _options()
    torch.set_num_threads(options.threads)
    device, dtype = torch.device(options.device), getattr(torch, options.dtype)
    rates = copy_rate(device), matrix_rate(device)
    print(f"copy {rates[0] / 1e9:.1f} GB/s, fp32 matrix product {rates[1] / 1e9:.0f} GFLOP/s", file=sys.stderr)
    rows: list[Row] = []
    for case in cases(options.sizes):
        if options.only and case.operation not in options.only:
            continue
        for row in _measure(case, device, dtype, rates, options):
            rows.append(row)
            print(_line(row), flush=True)
    _write(rows, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default, help=f"cpu or cuda (default: {default})")
    parser.add_argument("--dtype", default="float32", choices=("float32", "float16", "bfloat16"), help="of the maps")
    sizes = [*LOGITS, *(name for name in FEATURES if name not in LOGITS)]
    parser.add_argument("--sizes", nargs="+", choices=sizes, help="only these sizes (default: all)")
    parser.add_argument("--only", nargs="+", metavar="OPERATION", help="only these operations (default: all)")
    parser.add_argument(
        "--threads", type=int, default=1, help="of the CPU (default: 1, timed by the thread's own clock)"
    )
    parser.add_argument("--limit-gb", type=float, default=4.0, help="leave out eager forms with a larger matrix, in GB")
    parser.add_argument("--compile", action="store_true", help="torch.compile of the eager form as well; slow to start")
    parser.add_argument("--json", type=Path, help="write the rows there")
    parser.add_argument("--csv", type=Path, help="write the rows there")
    return parser.parse_args()


def _measure(
    case: Case, device: torch.device, dtype: torch.dtype, rates: tuple[float, float], options: argparse.Namespace
) -> Iterator[Row]:
    inputs = case.inputs(device, dtype)
    item = inputs["student"].element_size()
    # The size names the label's resolution; a map may be smaller.
    moved = case.maps[1] * item * case.size.batch * case.size.channels * case.size.height * case.size.width
    floor_ms = 1000 * max(moved / rates[0], case.products[1] / rates[1])
    forms: dict[str, Callable[[Inputs], Tensor]] = {"ours": case.ours, "eager": case.eager}
    if options.compile:
        forms["compiled"] = torch.compile(case.eager)
    for form, loss in forms.items():
        gigabytes = 4 * case.eager_elements / 1e9
        if form != "ours" and gigabytes > options.limit_gb:
            yield _row(case, form, (None, None, None), floor_ms, f"not run: a matrix of {gigabytes:.1f} GB", options)
            continue
        yield _row(case, form, _cost(loss, inputs, device), floor_ms, "", options)


Cost = tuple[float | None, float | None, float | None]


def _cost(loss: Callable[[Inputs], Tensor], inputs: Inputs, device: torch.device) -> Cost:
    """(forward ms, forward and backward ms, peak MB)."""

    def both() -> None:
        inputs["student"].grad = None
        value = loss(inputs)
        if value.requires_grad:
            torch.autograd.backward(value)

    forward = milliseconds(lambda: loss(inputs), device)
    has_gradient = loss(inputs).requires_grad
    return forward, milliseconds(both, device) if has_gradient else None, peak_megabytes(both, device)


def _row(case: Case, form: str, cost: Cost, floor_ms: float, note: str, options: argparse.Namespace) -> Row:
    name = torch.cuda.get_device_name() if options.device == "cuda" else platform.processor() or platform.machine()
    forward, both, peak = (None if value is None else round(value, 3) for value in cost)
    return Row(
        operation=case.operation,
        size=str(case.size),
        form=form,
        forward_ms=forward,
        both_ms=both,
        peak_mb=peak,
        floor_ms=round(floor_ms, 3),
        note=note,
        device=name,
        dtype=options.dtype,
        torch=torch.__version__,
        threads=options.threads,
        date=datetime.date.today().isoformat(),
    )


def _line(row: Row) -> str:
    numbers = ("-" if value is None else f"{value:.1f}" for value in (row.forward_ms, row.both_ms, row.peak_mb))
    forward, both, peak = numbers
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
