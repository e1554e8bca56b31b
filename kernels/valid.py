"""Which pixels count."""

import torch
from torch import Tensor

IGNORE_INDEX = 255
"""The label of pixels that belong to no class. They change no loss."""


def valid_pixels(label: Tensor | None, size: tuple[int, ...], device: torch.device) -> Tensor:
    """True ``(N, H, W)`` where ``label`` is not 255; everywhere where there is no label. Checks the label."""
    check_label(label, size)
    if label is None:
        return torch.ones(size, dtype=torch.bool, device=device)
    return label != IGNORE_INDEX


def check_label(label: Tensor | None, size: tuple[int, ...]) -> None:
    """`ValueError` unless the label is of ``size``, the ``(N, H, W)`` of the map it belongs to."""
    if label is not None and tuple(label.shape) != size:
        raise ValueError(f"the label is {tuple(label.shape)} and the map (N, H, W) = {size}: they must be the same")


def map_size(logits: Tensor) -> tuple[int, int, int]:
    """``(N, H, W)`` of a map ``(N, C, H, W)``."""
    batch, _, height, width = logits.shape
    return batch, height, width
