"""What a network shows of itself: the points where a distillation loss can listen."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass
class Taps:
    """The tapped tensors of one forward pass over images ``(N, 3, H, W)``."""

    stages: list[Tensor]
    """Encoder features ``(N, D_k, H/s_k, W/s_k)``, strides ``s_k`` ascending from 2."""
    fused: Tensor
    """Decoder output before the classifier, ``(N, D, h, w)``."""
    logits: Tensor
    """Classifier output at the decoder's own resolution, ``(N, C, h, w)``, usually at stride 4."""
    aux: Tensor | None = None
    """Logits of an auxiliary head, ``(N, C, h', w')``, where the network has one."""


class SegmentationNetwork(Protocol):
    """Every student and teacher. Takes RGB images in 0..255, normalises them itself."""

    classes: int
    stage_channels: list[int]
    fused_channels: int
    multiple: int
    """Both sides of an image must be multiples of this, in pixels."""
    mean: Tensor
    """Subtracted from the image, ``(1, 3, 1, 1)``, in units of 0..255."""
    std: Tensor

    def __call__(self, image: Tensor) -> Taps:
        """Images ``(N, 3, H, W)``, uint8 or float in 0..255, to taps."""
        ...
