"""A stronger teacher out of the same network: it sees each image at several sizes, and mirrored."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from train.models.network import SegmentationNetwork
from train.models.taps import Tap, Taps
from train.teachers.wrapper import Wrapper

_LOGITS: frozenset[Tap] = frozenset({"logits"})


class ScalesAndFlip(Wrapper):
    """The logits are the logarithm of the mean of the probabilities; every other tap is that of the image as it is.

    Args:
        network: the teacher.
        scales: further sizes of the image, relative; rounded to what the network takes.
        flip: each size mirrored as well.
    """

    def __init__(self, network: SegmentationNetwork, scales: Sequence[float], flip: bool) -> None:
        super().__init__(network)
        self._views = [
            (scale, mirrored) for scale in (1.0, *scales) for mirrored in ((False, True) if flip else (False,))
        ]

    def forward(self, image: Tensor, taps: frozenset[Tap] = _LOGITS) -> Taps:
        """See `SegmentationNetwork`."""
        shown: Taps = self.network(image, taps)
        if "logits" not in taps:
            return shown
        logits = shown.logits
        total = logits.float().softmax(dim=1)
        for scale, mirrored in self._views[1:]:
            total += self._probabilities(image.float(), scale, mirrored, logits.shape[-2:])
        mean = (total / len(self._views)).clamp_min(torch.finfo(total.dtype).tiny)
        return Taps({**shown.maps, "logits": mean.log().to(logits.dtype)})

    def _probabilities(self, image: Tensor, scale: float, mirrored: bool, size: torch.Size) -> Tensor:
        sides = [max(1, round(scale * side / self.multiple)) * self.multiple for side in image.shape[-2:]]
        seen = interpolate(image, sides, mode="bilinear", align_corners=False, antialias=True)
        logits = self.network(seen.flip(-1) if mirrored else seen).logits.float()
        probabilities = (logits.flip(-1) if mirrored else logits).softmax(dim=1)
        return interpolate(probabilities, size, mode="bilinear", align_corners=False)
