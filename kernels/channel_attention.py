"""Attention among the channels of a map."""

from typing import Any

import torch
from torch import Tensor

from kernels.choice import use_reference
from kernels.precision import accumulable


def channel_attention(features: Tensor, *, temperature: float = 2.0) -> Tensor:
    """A X with A = softmax_b((max_b E_ab - E_ab) / τ), E = X Xᵀ, for X ``(D, P)`` of each image.

    The channel attention of CSKD (Karine et al., PRL 180, 2024) without its γ and its sum with X; the form is that of
    DANet (Fu et al., https://arxiv.org/abs/1809.02983). Its matrices are D×D, so the vendor's matrix product is the
    best tool on every device; backward makes three of them where autograd would make four.

    Args:
        features: X, ``(N, D, H, W)``.
        temperature: τ_sa.

    Returns:
        ``(N, D, H, W)``, in fp32 for inputs of half precision.
    """
    if use_reference():
        return reference_channel_attention(features, temperature=temperature)
    with torch.autocast(features.device.type, enabled=False):
        attended: Tensor = _ChannelAttention.apply(accumulable(features).flatten(2), temperature)
    return attended.view(features.shape)


def reference_channel_attention(features: Tensor, *, temperature: float = 2.0) -> Tensor:
    """`channel_attention` in plain PyTorch."""
    flat = accumulable(features).flatten(2)
    with torch.autocast(features.device.type, enabled=False):
        return (_weights(flat, temperature) @ flat).view(features.shape)


def _weights(flat: Tensor, temperature: float) -> Tensor:
    """A ``(N, D, D)``. softmax(max - E) is softmax(-E): the maximum of a row is a constant in it."""
    return (flat @ flat.mT).div(-temperature).softmax(2)


class _ChannelAttention(torch.autograd.Function):
    """A X of ``(N, D, P)``. With S = ∂E the gradient is Aᵀ G + (S + Sᵀ) X: E = X Xᵀ needs one product, not two."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, temperature: float) -> Tensor:
        weights = _weights(flat, temperature)
        ctx.temperature = temperature
        ctx.save_for_backward(flat, weights)
        return weights @ flat

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Of X."""
        flat, weights = ctx.saved_tensors
        # It may be asked for within autocast, which would round its products.
        with torch.autocast(flat.device.type, enabled=False):
            of_weights = gradient @ flat.mT
            slope = weights * (of_weights - (weights * of_weights).sum(2, keepdim=True)) / -ctx.temperature
            return torch.baddbmm(weights.mT @ gradient, slope + slope.mT, flat), None
