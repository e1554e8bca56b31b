"""Bilinear upsampling inside a kernel: where each output pixel reads, as tables.

The same taps as `torch.nn.functional.interpolate`. Forward and backward read one table, so they cannot disagree.
"""

import functools
from typing import NamedTuple

import torch
import triton
import triton.language as tl


class Axis(NamedTuple):
    """One side of a map upsampled from ``cells`` to ``outputs`` samples."""

    lower: torch.Tensor
    """The lower of the two taps of each output, ``(outputs,)`` int32; the upper one is the next, if there is one."""
    weight: torch.Tensor
    """Of the upper tap, ``(outputs,)`` fp32; 0 where there is no upper tap."""
    first: torch.Tensor
    """The first output whose lower tap is at or after each cell, ``(cells + 1,)`` int32."""
    most: int
    """Outputs of the fullest cell."""


@functools.lru_cache(maxsize=64)
def axis(cells: int, outputs: int, align_corners: bool, device: torch.device) -> Axis:
    """The table of one side."""
    output = torch.arange(outputs, dtype=torch.float64)
    if align_corners:
        source = output * ((cells - 1) / max(1, outputs - 1))
    else:
        source = ((output + 0.5) * (cells / outputs) - 0.5).clamp(min=0)
    lower = source.floor().clamp(max=cells - 1)
    weight = torch.where(lower < cells - 1, source - lower, 0)
    first = torch.searchsorted(lower, torch.arange(cells + 1, dtype=torch.float64))
    return Axis(
        lower.to(device, torch.int32),
        weight.to(device, torch.float32),
        first.to(device, torch.int32),
        int(first.diff().max()),
    )


@triton.jit
def upsampled(map_ptr, offset, y, wy, x, wx, stride_h, stride_w, mask):
    """The map at (y + wy, x + wx), fp32. ``offset`` holds image and channel; all broadcast to ``mask``."""
    corner = map_ptr + offset + y * stride_h + x * stride_w
    # A tap of weight 0 is not read: it may lie outside.
    below, right = mask & (wy > 0), mask & (wx > 0)
    a = tl.load(corner, mask=mask, other=0.0).to(tl.float32)
    b = tl.load(corner + stride_w, mask=right, other=0.0).to(tl.float32)
    c = tl.load(corner + stride_h, mask=below, other=0.0).to(tl.float32)
    d = tl.load(corner + stride_h + stride_w, mask=below & right, other=0.0).to(tl.float32)
    return (a * (1 - wx) + b * wx) * (1 - wy) + (c * (1 - wx) + d * wx) * wy


@triton.jit
def corners(map_ptr, offset, y, x, height, width, stride_h, stride_w, mask):
    """The four taps of cell (y, x), fp32, 0 outside the map."""
    corner = map_ptr + offset + y * stride_h + x * stride_w
    below, right = mask & (y + 1 < height), mask & (x + 1 < width)
    a = tl.load(corner, mask=mask, other=0.0).to(tl.float32)
    b = tl.load(corner + stride_w, mask=right, other=0.0).to(tl.float32)
    c = tl.load(corner + stride_h, mask=below, other=0.0).to(tl.float32)
    d = tl.load(corner + stride_h + stride_w, mask=below & right, other=0.0).to(tl.float32)
    return a, b, c, d


@triton.jit
def add_corners(map_ptr, offset, y, x, height, width, stride_h, stride_w, a, b, c, d, mask):
    """Add ``a … d`` to the four taps of cell (y, x) of an fp32 map; no other program may at the same time."""
    corner = map_ptr + offset + y * stride_h + x * stride_w
    below, right = mask & (y + 1 < height), mask & (x + 1 < width)
    tl.store(corner, tl.load(corner, mask=mask, other=0.0) + a, mask=mask)
    tl.store(corner + stride_w, tl.load(corner + stride_w, mask=right, other=0.0) + b, mask=right)
    tl.store(corner + stride_h, tl.load(corner + stride_h, mask=below, other=0.0) + c, mask=below)
    corner += stride_h + stride_w
    tl.store(corner, tl.load(corner, mask=below & right, other=0.0) + d, mask=below & right)
