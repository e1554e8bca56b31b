"""Inner products of the pixels of two maps, a tile at a time."""

from typing import NamedTuple

import torch
import triton
import triton.language as tl


@triton.jit
def scores(
    row_ptr, column_ptr, row, column, rows, columns, channels, row_d, row_p, column_d, column_p, factor,
    PRECISION: tl.constexpr, BLOCK_R: tl.constexpr, BLOCK_C: tl.constexpr, BLOCK_D: tl.constexpr,
):  # fmt: skip
    """factor · a_i·b_j of the pixels ``row`` [R] of one map and ``column`` [C] of another: ``[R, C]`` fp32."""
    total = tl.zeros([BLOCK_R, BLOCK_C], tl.float32)
    in_rows, in_columns = (row < rows)[:, None], (column < columns)[None, :]
    for start in range(0, channels, BLOCK_D):
        channel = start + tl.arange(0, BLOCK_D).to(tl.int64)
        inside = channel < channels
        at = row_ptr + channel[None, :] * row_d + row[:, None] * row_p
        a = tl.load(at, mask=inside[None, :] & in_rows, other=0.0)
        at = column_ptr + channel[:, None] * column_d + column[None, :] * column_p
        b = tl.load(at, mask=inside[:, None] & in_columns, other=0.0)
        total = tl.dot(a, b, total, input_precision=PRECISION)
    return total * factor


class Tiles(NamedTuple):
    """Sides of the tiles for one dtype: the largest whose registers do not spill."""

    queries: int
    keys: int
    own: int
    others: int
    channels: int
    gradient_channels: int
    precision: str
    """Of products of fp32: three TF32 products keep fp32's accuracy on tensor cores."""


HALF = Tiles(queries=128, keys=64, own=64, others=32, channels=32, gradient_channels=128, precision="tf32")
SINGLE = Tiles(queries=64, keys=64, own=64, others=32, channels=16, gradient_channels=64, precision="tf32x3")
WARPS, STAGES = 8, 2


def tiles_of(dtype: torch.dtype) -> Tiles:
    """Those of maps of ``dtype``."""
    return SINGLE if dtype == torch.float32 else HALF
