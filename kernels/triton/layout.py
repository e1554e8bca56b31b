"""How tensors are handed to kernels: pixels flattened, strides explicit, tiles sized."""

from typing import NamedTuple

import torch
import triton
from torch import Tensor


class Tile(NamedTuple):
    """What one program holds: all channels of some pixels."""

    channels: int
    """Padded to a power of two."""
    pixels: int
    warps: int


def tile(channels: int, elements: int = 4096) -> Tile:
    """The tile of ``elements`` registers a map, 32 a thread by default, and twice as many where channels are many."""
    padded = max(2, triton.next_power_of_2(channels))
    pixels = max(32 * elements // 4096, elements // padded)
    return Tile(padded, pixels, 8 if padded * pixels > elements else 4)


def flat_pixels(tensor: Tensor) -> Tensor:
    """``(N, C, H, W)`` as ``(N, C, P)`` with any strides: a view for NCHW and channels_last, a copy for the rest."""
    return tensor.detach().flatten(2)


def gradient_like(tensor: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Room for the gradient of a map ``(N, C, H, W)``: channels_last where the map is, else NCHW."""
    last = tensor.is_contiguous(memory_format=torch.channels_last)
    memory_format = torch.channels_last if last else torch.contiguous_format
    return torch.empty_like(tensor, dtype=dtype, memory_format=memory_format)


def per_pixel(tensor: Tensor | None, unread: Tensor) -> Tensor:
    """A map ``(N, H, W)`` as contiguous fp32; ``unread`` in the place of None."""
    return unread if tensor is None else tensor.detach().to(torch.float32).contiguous()


def per_pixel_label(label: Tensor | None, unread: Tensor) -> Tensor:
    """A label ``(N, H, W)``, contiguous, of any integer dtype; ``unread`` in the place of None."""
    return unread if label is None else label.contiguous()
