"""Which cells of a map count, and the mean over them, in one process or as this one's part of all of them.

The mean over the processes of what they return is the mean over the cells of all of them, and so is its gradient.
"""

import torch
from torch import Tensor

from kernels.valid import map_size, valid_pixels
from train import processes
from train.losses.contract import label_at


def valid_at(label: Tensor | None, features: Tensor) -> Tensor:
    """True ``(N, h, w)`` where a map ``(N, D, h, w)`` counts; the label ``(N, H, W)`` is of any resolution or None."""
    own = None if label is None else label_at(label, features.shape[-2:])
    return valid_pixels(own, map_size(features), features.device)


def mean_over(valid: Tensor, values: Tensor) -> Tensor:
    """Mean of ``values`` ``(N, h, w)`` over the valid pixels of the batch; 0 where there is none."""
    cells = valid.sum()
    return processes.part_of_mean(torch.where(valid, values, 0).sum() / cells.clamp(min=1), cells)


def over_pixels(mean: Tensor, label: Tensor | None, features: Tensor) -> Tensor:
    """A mean over the valid pixels of a map ``(N, ·, h, w)``; the label ``(N, H, W)`` is of any resolution or None."""
    if processes.count() == 1:
        return mean
    return processes.part_of_mean(mean, valid_at(label, features).sum())


def over_images(mean: Tensor, *maps: tuple[Tensor | None, Tensor]) -> Tensor:
    """A mean over the images that have a valid pixel in each of these labels and maps, as in `over_pixels`."""
    if processes.count() == 1:
        return mean
    having = torch.stack([valid_at(label, features).flatten(1).any(1) for label, features in maps])
    return processes.part_of_mean(mean, having.all(0).sum())
