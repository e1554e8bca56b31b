"""What every student and teacher is: pixels in, taps out."""

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from train.models.module_outputs import module_outputs
from train.models.taps import Tap, Taps, needs_decoder

_HEAD: frozenset[Tap] = frozenset({"logits"})


class SegmentationNetwork(nn.Module):
    """A network that takes RGB images in 0..255 and normalises them itself.

    Args:
        classes: how many there are.
        multiple: both sides of an image must be multiples of this, in pixels.
        mean: subtracted from the image, red, green and blue, in units of 0..255.
        std: what the difference is divided by, in the same units.
    """

    mean: Tensor
    """``(1, 3, 1, 1)``"""
    std: Tensor
    opaque = False
    """Whether another runtime computes its maps, so that torch cannot count what it does."""
    auxiliary: nn.Module | None
    """A head that runs in training only, and is no part of what is exported."""

    def __init__(self, classes: int, multiple: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.classes = classes
        self.multiple = multiple
        self.auxiliary = None
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))

    def forward(self, image: Tensor, taps: frozenset[Tap] = _HEAD) -> Taps:
        """Images ``(N, 3, H, W)``, uint8 or float in 0..255, to the taps asked for (and those on the way to them).

        Nothing behind the encoder is computed where ``taps`` names none of it.
        """
        with module_outputs(self, taps) as modules:
            maps = self.maps((image.float() - self.mean) / self.std, needs_decoder(taps))
        return Taps({**maps, **modules})

    @abstractmethod
    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:
        """What `Taps` holds, of normalised images ``(N, 3, H, W)``; the stages alone unless ``decoded``."""


def is_opaque(network: nn.Module) -> bool:
    """Whether any part of a network is computed by another runtime."""
    return any(isinstance(part, SegmentationNetwork) and part.opaque for part in network.modules())


def set_batchnorm_momentum(network: nn.Module, momentum: float) -> None:
    """Some timm nets carry 0.01, with which a short run is evaluated on stale statistics."""
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = momentum
