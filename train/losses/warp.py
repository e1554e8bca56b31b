"""Bring what a network shows of a second frame back to the first."""

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.precision import accumulable


def warp(features: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """What the second frame shows where the pixels of the first have gone, bilinearly.

    Args:
        features: of the second frame, ``(N, C, h, w)``, of any stride; the gradient flows through them.
        flow: ``(N, 2, H, W)``, at the resolution of the images and in their pixels (x, y): the point at x of the first
            frame is at x + flow(x) in the second. A constant. At a map's resolution it is that of the cells' centres.

    Returns:
        The map in the first frame, ``(N, C, h, w)``, in fp32 for a map of half precision; and where it is known,
        ``(N, h, w)`` bool: the point lies between the centres of the cells of the second frame.
    """
    features = accumulable(features)
    height, width = features.shape[-2:]
    x, y = _targets(flow.detach().to(features.dtype), height, width)
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    # -1 and 1 are the outer edges of the border cells, as align_corners=False has it: that serves maps of one cell too.
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], 3)
    return F.grid_sample(features, grid, mode="bilinear", padding_mode="border", align_corners=False), inside


def _targets(flow: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Where the cells of the first frame's map are in the second's, x and y ``(N, h, w)`` in cells."""
    scale_y, scale_x = height / flow.shape[2], width / flow.shape[3]
    if flow.shape[-2:] != (height, width):
        flow = F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
    columns = torch.arange(width, dtype=flow.dtype, device=flow.device)
    rows = torch.arange(height, dtype=flow.dtype, device=flow.device)
    return columns + scale_x * flow[:, 0], rows[:, None] + scale_y * flow[:, 1]
