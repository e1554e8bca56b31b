"""Which cells of a map count, and the mean over them."""

import torch
from torch import Tensor

from kernels.valid import map_size, valid_pixels
from train.losses.contract import label_at


def valid_at(label: Tensor | None, features: Tensor) -> Tensor:
    """True ``(N, h, w)`` where a map ``(N, D, h, w)`` counts; the label ``(N, H, W)`` is of any resolution or None."""
    own = None if label is None else label_at(label, features.shape[-2:])
    return valid_pixels(own, map_size(features), features.device)


def mean_over(valid: Tensor, values: Tensor) -> Tensor:
    """Mean of ``values`` ``(N, h, w)`` over the valid pixels of the batch; 0 where there is none."""
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)
