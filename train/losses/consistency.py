"""How far predictions for two frames disagree about the same points."""

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.precision import accumulable
from train import processes
from train.losses.warp import warp


def consistency(logits: Tensor, other: Tensor, flow: Tensor, weight: Tensor) -> Tensor:
    """Σ_i o_i ‖p_i - warp(p')_i‖² / Σ_i o_i over the cells of the batch, p = softmax_c(z), p' of the second frame.

    Args:
        logits: z of the first frame, ``(N, C, h, w)``.
        other: z of the second, ``(N, C, h', w')``; the gradient flows through both.
        flow: from the first to the second, ``(N, 2, H, W)``, as for `warp`.
        weight: o, ``(N, h, w)``, a constant; 0 where the flow leaves the second frame, whatever it is.

    Returns:
        A scalar, in fp32 for logits of half precision; 0 where no cell has a weight.
    """
    warped, inside = warp(accumulable(other).softmax(1), flow)
    difference = accumulable(logits).softmax(1) - warped
    weight = weight.detach().to(difference) * inside
    # A smaller norm has no finite inverse.
    norm = weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
    return processes.part_of_mean((weight * difference.square().sum(1)).sum() / norm, weight.sum())


@torch.no_grad()
def visibility(image: Tensor, other: Tensor, flow: Tensor, visible: Tensor, size: torch.Size) -> Tensor:
    """o_i = exp(-Σ_ch |I - warp(I')|_i): near 1 where the second frame shows the same point, near 0 where it is hidden.

    Taken at the images' resolution, where thin things are still there, and averaged over each cell of a map.

    Args:
        image: I, the first frame, ``(N, 3, H, W)``, in units of mean and standard deviation.
        other: I', the second.
        flow: from the first to the second, ``(N, 2, H, W)``, in pixels.
        visible: ``(N, H, W)`` bool; elsewhere o is 0.
        size: h and w of the map.

    Returns:
        ``(N, h, w)``.
    """
    warped, inside = warp(other, flow)
    weight = (-(accumulable(image) - warped).abs().sum(1)).exp() * (visible & inside)
    return F.interpolate(weight[:, None], size, mode="area")[:, 0]
