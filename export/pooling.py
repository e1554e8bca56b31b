"""Adaptive average pooling that exports at any image size.

ONNX has no such operation. The exporter writes one with a window of fixed size, which is right at the example's size
and silently wrong at every other: at 96×160, PSPNet's logits were off by 73.
"""

from typing import TypeVar, cast

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


class AdaptivePooling(nn.Module):
    """`nn.AdaptiveAvgPool2d` as two products, with a matrix of averages for the rows and one for the columns.

    To 1×1 it is a plain mean, of which the exporter makes a gather over the batch.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        super().__init__()
        self.size = size

    def forward(self, features: Tensor) -> Tensor:
        """``(N, C, H, W)`` to ``(N, C, *size)``."""
        if self.size == (1, 1):
            return features.mean(dim=(2, 3), keepdim=True)
        rows = _averages(self.size[0], features.shape[2], features)
        columns = _averages(self.size[1], features.shape[3], features)
        return rows @ features @ columns.T


def replace_adaptive_pooling(network: Network) -> Network:
    """Replace, in place, each `nn.AdaptiveAvgPool2d`."""
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.AdaptiveAvgPool2d):
            network.set_submodule(name, AdaptivePooling(_pair(module.output_size)))
    return network


def _pair(size: object) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else cast("tuple[int, int]", tuple(cast("tuple[int, int]", size)))


def _averages(bins: int, length: int, like: Tensor) -> Tensor:
    """``(bins, length)``: row i averages the pixels from floor(i·length/bins) to ceil((i+1)·length/bins), excluded."""
    index = torch.arange(bins, device=like.device).unsqueeze(1)
    pixel = torch.arange(length, device=like.device).unsqueeze(0)
    first = index * length // bins
    end = ((index + 1) * length + bins - 1) // bins
    inside = ((pixel >= first) & (pixel < end)).to(like.dtype)
    return inside / (end - first).to(like.dtype)
