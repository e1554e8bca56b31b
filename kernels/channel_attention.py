"""Attention among the channels of a map."""

import torch
from torch import Tensor

from kernels.precision import accumulable


def channel_attention(features: Tensor, *, temperature: float = 2.0) -> Tensor:
    """A X with A = softmax_b((max_b E_ab - E_ab) / τ), E = X Xᵀ, for X ``(D, P)`` of each image.

    The channel attention of CSKD (Karine et al., PRL 180, 2024) without its γ and its sum with X; the form is that of
    DANet (Fu et al., https://arxiv.org/abs/1809.02983). Its matrices are D×D, so the vendor's matrix product is the
    best tool on every device.

    Args:
        features: X, ``(N, D, H, W)``.
        temperature: τ_sa.

    Returns:
        ``(N, D, H, W)``, in fp32 for inputs of half precision.
    """
    return reference_channel_attention(features, temperature=temperature)


def reference_channel_attention(features: Tensor, *, temperature: float = 2.0) -> Tensor:
    """`channel_attention` in plain PyTorch."""
    flat = accumulable(features).flatten(2)
    with torch.autocast(features.device.type, enabled=False):
        energy = flat @ flat.mT
        # softmax(max - E) is softmax(-E): the maximum of a row is a constant in it.
        return ((-energy / temperature).softmax(2) @ flat).view(features.shape)
