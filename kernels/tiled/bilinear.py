"""Bilinear upsampling of few cells as two matrix products: its gradient is then two as well, and not a scatter."""

import torch
from torch import Tensor
from torch.nn import functional as F

# Multiplications an output pixel up to which the products are faster forward and backward, measured on a CPU.
_FEW = 200


def upsample(logits: Tensor, size: tuple[int, int], align_corners: bool) -> Tensor:
    """As `torch.nn.functional.interpolate`: ``(N, C, h, w)`` to ``(N, C, *size)``."""
    height, width = logits.shape[2:]
    if height + width * height / size[0] > _FEW:
        return F.interpolate(logits, size, mode="bilinear", align_corners=align_corners)
    rows, columns = (
        _taps(cells, outputs, align_corners).to(logits) for cells, outputs in ((height, size[0]), (width, size[1]))
    )
    return rows @ (logits @ columns.mT)


def _taps(cells: int, outputs: int, align_corners: bool) -> Tensor:
    """What each of ``cells`` samples gives to each output, ``(outputs, cells)`` fp64: two of a row are not 0."""
    output = torch.arange(outputs, dtype=torch.float64)
    if align_corners:
        source = output * ((cells - 1) / max(1, outputs - 1))
    else:
        source = ((output + 0.5) * (cells / outputs) - 0.5).clamp(min=0, max=cells - 1)
    return (1 - (source[:, None] - torch.arange(cells)).abs()).clamp(min=0)
