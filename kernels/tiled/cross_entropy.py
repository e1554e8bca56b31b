"""`kernels.cross_entropy` by tiles of pixels."""

from typing import Any

import torch
from torch import Tensor

from kernels.precision import accumulable
from kernels.valid import IGNORE_INDEX

# Elements of a tile: a quarter of a megabyte in fp32, a few of which stay in a core's cache.
_TILE = 1 << 16


class TiledCrossEntropy(torch.autograd.Function):
    """-Σ_i w log softmax_c(z_i)[y_i] over the valid pixels i, as `kernels.tiled.pixel_kl` does it."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, label: Tensor, weight: Tensor) -> Tensor:
        """Logits ``(N, C, P)``, label ``(N, P)``, weight ``()``."""
        gradient = torch.empty_like(logits) if ctx.needs_input_grad[0] else None
        total = weight.new_zeros(())
        pixels = max(16, _TILE // logits.shape[1])
        for image in range(logits.shape[0]):
            for start in range(0, logits.shape[2], pixels):
                tile = slice(start, start + pixels)
                valid = label[image, tile] != IGNORE_INDEX
                index = torch.where(valid, label[image, tile], 0).long()[None]
                weights = valid * weight
                log_q = accumulable(logits[image, :, tile]).log_softmax(0)
                total -= torch.dot(log_q.gather(0, index)[0], weights)
                if gradient is not None:
                    slope = log_q.exp_().scatter_add_(0, index, log_q.new_full(index.shape, -1))
                    gradient[image, :, tile] = slope.mul_(weights)
        ctx.gradient = gradient
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """Of the logits."""
        return (ctx.gradient * gradient).to(ctx.gradient.dtype), None, None
