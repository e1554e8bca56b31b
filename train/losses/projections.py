"""Queries, keys and values of an attention that is not trained."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kernels.precision import accumulable
from train.losses.draws import Draws

_FEWER = 8
"""Channels of the map to a channel of a query or key."""


class FixedProjections(nn.Module):
    """Orthogonal 1×1 convolutions, drawn once; they are buffers, so that a checkpoint has them.

    Args:
        channels: D of the map.
        seed: of the draw.
    """

    query: Tensor
    key: Tensor
    value: Tensor

    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        for name, kernel in _kernels(channels, lambda kernel: nn.init.orthogonal_(kernel, generator=generator)):
            self.register_buffer(name, kernel)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query and key ``(N, D/8, H, W)`` and value ``(N, D, H, W)`` of features ``(N, D, H, W)``."""
        return _project(features, self.query, self.key, self.value)


class RedrawnProjections(nn.Module):
    """1×1 convolutions drawn anew in every call, as PyTorch draws those of a new layer, without biases.

    Args:
        channels: D of the map.
        seed: of the draws.
    """

    def __init__(self, channels: int, seed: int) -> None:
        super().__init__()
        self.channels = channels
        self.draws = Draws(seed)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query and key ``(N, D/8, H, W)`` and value ``(N, D, H, W)`` of features ``(N, D, H, W)``."""
        bound, generator = 1 / math.sqrt(self.channels), self.draws.generator()
        drawn = _kernels(self.channels, lambda kernel: kernel.uniform_(-bound, bound, generator=generator))
        return _project(features, *(kernel for _, kernel in drawn))


def _kernels(channels: int, draw: Callable[[Tensor], Tensor]) -> list[tuple[str, Tensor]]:
    fewer = max(1, channels // _FEWER)
    return [
        (name, draw(torch.empty(outputs, channels, 1, 1)))
        for name, outputs in (("query", fewer), ("key", fewer), ("value", channels))
    ]


def _project(features: Tensor, query: Tensor, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    features = accumulable(features)
    # In half precision the scores of an attention would be off by more than two pixels differ.
    with torch.autocast(features.device.type, enabled=False):
        q, k, v = (F.conv2d(features, kernel.to(features)) for kernel in (query, key, value))
    return q, k, v
