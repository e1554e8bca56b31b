"""``python -m kernels.cuda.build``: the CUDA sources to one fatbin each (no torch, no GPU)."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kernels.cuda.launch import SOURCES
from kernels.cuda.nvcc import ARCHITECTURES, PTX_ARCHITECTURE, BuildError, compile_fatbin, find_nvcc, nvcc_version
from kernels.cuda.resources import Table, markdown, parse_ptxas

FOLDER = Path(__file__).parent
DEFAULT_OUTPUT = Path("build/cuda")


def build(nvcc: Path, output: Path, chips: Sequence[int] = ()) -> Table:
    """Compile every source into ``output``, as ``<source>.fatbin``, for these chips alone or, without any, for all.

    Raises:
        BuildError: a source has an error, a warning or a register spill.
    """
    output.mkdir(parents=True, exist_ok=True)
    table: Table = {}
    for source in SOURCES:
        fatbin = output / f"{source}.fatbin"
        table |= parse_ptxas(
            compile_fatbin(nvcc, FOLDER / f"{source}.cu", fatbin, chips or ARCHITECTURES, ptx=not chips)
        )
        print(f"{fatbin}  {fatbin.stat().st_size / 1024:.0f} KiB", file=sys.stderr)
    return table


def main() -> int:
    """The command line; 2 if the kernels cannot be built."""
    arguments = _parser().parse_args()
    try:
        nvcc = find_nvcc()
        table = build(nvcc, arguments.out, arguments.sm)
        if arguments.report:
            print(markdown(table, nvcc_version(nvcc)), end="")
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    chips = ", ".join(f"sm_{architecture}" for architecture in ARCHITECTURES)
    parser = argparse.ArgumentParser(
        prog="python -m kernels.cuda.build",
        description=f"Compile the CUDA kernels of the edge runtime for {chips}, with PTX of compute_{PTX_ARCHITECTURE} "
        "for all others. Needs nvcc, and neither a GPU nor torch.",
    )
    parser.add_argument("--out", type=Path, default=DEFAULT_OUTPUT, help="folder of the fatbins (default: %(default)s)")
    parser.add_argument(
        "--sm",
        type=int,
        nargs="+",
        default=[],
        metavar="SM",
        help="only for these, e.g. 87: an nvcc that does not know the newest chips, as a Jetson's, can do that too "
        "(default: all)",
    )
    parser.add_argument(
        "--report", action="store_true", help="print the registers of each kernel on each chip, as a Markdown table"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
