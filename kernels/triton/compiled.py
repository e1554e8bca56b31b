"""Every kernel compiled ahead of time for every chip, with no GPU: what it needs of the chip, as a table.

    python -m kernels.triton.compiled                          prints the committed table anew, minutes
    python -m kernels.triton.compiled --chips 87 --dtypes fp16

Not in one process with Triton's interpreter.
"""

import argparse
import csv
import importlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from kernels.triton.channel_kl import CHANNELS_LAST, IN_ROWS
from kernels.triton.layout import tile
from kernels.triton.scores import HALF, SINGLE, STAGES, WARPS

CHIPS = (75, 80, 87, 89, 90, 100, 120)
DTYPES = ("fp16", "bf16", "fp32")
CLASSES = (19, 150)
TABLE = Path(__file__).with_name("compiled.csv")
COLUMNS = (
    "kernel",
    "layout",
    "channels",
    "dtype",
    "chip",
    "registers",
    "stack_bytes",
    "shared_bytes",
    "tensor_cores",
    "triton",
)

_CUOBJDUMP = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
# Of PTX: products of a warp, of Hopper's group of warps, of Blackwell's tensor memory.
_TENSOR_CORES = re.compile(r"\b(mma\.sync|wgmma\.mma_async|tcgen05\.mma)\b")
_MAPS = {"student", "teacher", "logits", "map"} | {
    f"{prefix}{network}{suffix}"
    for network in ("student", "teacher")
    for prefix, suffix in (("own_", ""), ("other_", ""), ("", "_query"), ("", "_key"))
}
"""The arguments that are of the maps' dtype."""
_ALL_MAPS = {"LABELLED": True, "STUDENT_SCALED": True, "TEACHER_SCALED": True}


@dataclass(frozen=True)
class Variant:
    """One kernel with its compile-time constants."""

    kernel: str
    """``module.function`` below `kernels.triton`."""
    channels: int
    constants: dict[str, Any] = field(default_factory=dict)
    warps: int = 4
    stages: int = 3
    layout: str = "NCHW"


def variants() -> Iterator[Variant]:
    """Everything that is launched, each with all its inputs there: the most that it can need."""
    for channels in CLASSES:
        whole, taps, cells = tile(channels), tile(channels, elements=2048), tile(channels, elements=1024)
        for direction in ("forward", "backward"):
            weighted = _ALL_MAPS | {"WEIGHTED": True}
            for name, block, maps in (
                ("pixel_kl", whole if direction == "forward" else taps, weighted),
                ("pixel_kl_upsampled", taps if direction == "forward" else cells, weighted),
                ("cross_entropy", whole, {}),
                ("cross_entropy_upsampled", taps if direction == "forward" else cells, {}),
            ):
                constants: dict[str, Any] = maps | {"BLOCK_C": block.channels, "BLOCK_P": block.pixels}
                yield Variant(f"{name}.{name}_{direction}_kernel", channels, constants, block.warps)
        constants = {"LABELLED": True, "MATRIX": "soft", "UNCERTAIN": False}
        constants |= {"BLOCK_C": whole.channels, "BLOCK_P": whole.pixels}
        yield Variant("condensation.condensation_entropy_kernel", channels, constants, whole.warps)
    slab = tile(64)
    constants = {"BLOCK_C": slab.channels, "BLOCK_P": slab.pixels}
    yield Variant("condensation.condensation_magnitude_kernel", 256, constants, slab.warps)
    for layout, held in (("NCHW", IN_ROWS), ("channels_last", CHANNELS_LAST)):
        scaled = _ALL_MAPS | {"CHANNEL_SCALED": True, "BLOCK_C": held.channels, "BLOCK_P": held.pixels}
        forward = scaled | {"BLOCKS_A_PIECE": held.blocks}
        yield Variant("channel_kl.channel_kl_forward_kernel", 19, forward, layout=layout)
        yield Variant("channel_kl.channel_kl_backward_kernel", 19, scaled, layout=layout)
    yield Variant("channel_kl.channel_kl_join_kernel", 19, {"BLOCK": 32})


def attention_variants(dtype: str) -> Iterator[Variant]:
    """Of `kernels.triton.attention_kl`, whose tiles depend on the dtype; channels are 256."""
    tiles = SINGLE if dtype == "fp32" else HALF
    shared = {"PRECISION": tiles.precision, "BLOCK_D": tiles.channels}
    forward = shared | {"BLOCK_Q": tiles.queries, "BLOCK_K": tiles.keys}
    yield Variant("attention_kl.attention_kl_forward_kernel", 256, forward, WARPS, STAGES)
    backward = shared | {"BLOCK_A": tiles.own, "BLOCK_B": tiles.others, "BLOCK_G": tiles.gradient_channels}
    backward |= {"QUERIES": True, "KEYS": True}
    yield Variant("attention_kl.attention_kl_backward_kernel", 256, backward, WARPS, STAGES)


def compile_variant(variant: Variant, dtype: str, chip: int) -> dict[str, Any]:
    """A row of the table."""
    module, name = variant.kernel.split(".")
    kernel = getattr(importlib.import_module(f"kernels.triton.{module}"), name)
    neighbours = ("_c",) if variant.layout == "channels_last" else ("_p", "_w")
    constants = variant.constants | {arg: 1 for arg in kernel.arg_names if arg.endswith(neighbours)}
    signature = {arg: "constexpr" if arg in constants else _type(arg, dtype, name) for arg in kernel.arg_names}
    aligned = {
        (index,): [["tt.divisibility", 16]] for index, arg in enumerate(kernel.arg_names) if arg.endswith("_ptr")
    }
    by_index = {(kernel.arg_names.index(arg),): value for arg, value in constants.items()}
    source = ASTSource(kernel, signature, by_index, aligned)
    options = {"num_warps": variant.warps, "num_stages": variant.stages}
    compiled = triton.compile(source, target=GPUTarget("cuda", chip, 32), options=options)
    registers, stack = _usage(compiled.asm["cubin"])
    products = sorted(set(_TENSOR_CORES.findall(compiled.asm["ptx"])))
    needs = (registers, stack, compiled.metadata.shared, " ".join(products))
    values = (name, variant.layout, variant.channels, dtype, chip, *needs, triton.__version__)
    return dict(zip(COLUMNS, values, strict=True))


def _type(arg: str, dtype: str, kernel: str) -> str:
    """The Triton type of an argument, by its name."""
    if arg.removesuffix("_ptr") in _MAPS:
        return "*" + dtype
    if arg == "gradient_ptr":
        return "*fp32" if "upsampled" in kernel else "*" + dtype
    if arg.endswith(("is_query_ptr", "is_key_ptr")):
        return "*i1"
    if arg == "label_ptr":
        return "*u8"
    if "lower" in arg or "first" in arg:
        return "*i32"
    if arg.endswith("_ptr"):
        return "*fp32"
    return "fp32" if arg in ("factor", "scale", "threshold", "gain") else "i32"


def _usage(cubin: bytes) -> tuple[int, int]:
    """(registers, bytes of stack) a thread: a stack is where spilled registers go."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        command = [str(_CUOBJDUMP), "--dump-resource-usage", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", text)
    if not found:
        raise RuntimeError(f"cuobjdump did not tell the registers: {text}")
    return int(found[1]), int(found[2])


def main() -> None:
    """Write the table to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chips", type=int, nargs="+", default=CHIPS, help="compute capabilities, as 87 for sm_87")
    parser.add_argument("--dtypes", nargs="+", default=DTYPES, choices=DTYPES, help="of the maps")
    parser.add_argument("--channels", type=int, nargs="+", help="only these class counts")
    options = parser.parse_args()
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for dtype in options.dtypes:
        for variant in (*variants(), *attention_variants(dtype)):
            if options.channels and variant.channels not in options.channels:
                continue
            for chip in options.chips:
                writer.writerow(compile_variant(variant, dtype, chip))
                sys.stdout.flush()


if __name__ == "__main__":
    main()
