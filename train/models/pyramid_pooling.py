"""Context of several sizes, gathered from the smallest map of a network.

Averages over windows of 5, 9 and 17 pixels and over the whole map. The windows are padded with zeros, which count, so
that a map may be smaller than they are.
"""

import torch
from torch import Tensor, nn

from train.models.residual import norm_conv
from train.models.resize import resize_like

_WINDOWS = ((5, 2), (9, 4), (17, 8))
"""Side and stride, in pixels of the map."""


class _Pyramid(nn.Module):
    """The maps of all scales, as both ways to aggregate them share them."""

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__()
        self.point = norm_conv(inputs, width, 1)
        pools = [nn.AvgPool2d(side, stride, side // 2) for side, stride in _WINDOWS]
        self.scales = nn.ModuleList(nn.Sequential(pool, norm_conv(inputs, width, 1)) for pool in pools)
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), norm_conv(inputs, width, 1))
        self.compress = norm_conv(5 * width, outputs, 1)
        self.shortcut = norm_conv(inputs, outputs, 1)

    def coarser(self, features: Tensor) -> list[Tensor]:
        """Maps that can be added to one ``(N, width, h, w)``, the finest first; the last is one pixel."""
        return [*(resize_like(scale(features), features) for scale in self.scales), self.whole(features)]


class DeepAggregationPyramidPooling(_Pyramid):
    """DAPPM: each scale is added to the one before, and convolved.

    Hong et al., DDRNet, https://arxiv.org/abs/2101.06085.

    Args:
        inputs: channels of the map.
        width: channels of each scale.
        outputs: channels of the result.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__(inputs, width, outputs)
        self.process = nn.ModuleList(norm_conv(width, width, 3) for _ in range(4))

    def forward(self, features: Tensor) -> Tensor:
        """``(N, inputs, h, w)`` to ``(N, outputs, h, w)``."""
        maps = [self.point(features)]
        for process, scale in zip(self.process, self.coarser(features), strict=True):
            maps.append(process(maps[-1] + scale))
        total: Tensor = self.compress(torch.cat(maps, dim=1)) + self.shortcut(features)
        return total


class ParallelAggregationPyramidPooling(_Pyramid):
    """PAPPM: each scale is added to the map itself, and one grouped convolution takes them all.

    Xu et al., PIDNet, https://arxiv.org/abs/2206.02066. Arguments as for `DeepAggregationPyramidPooling`.
    """

    def __init__(self, inputs: int, width: int, outputs: int) -> None:
        super().__init__(inputs, width, outputs)
        self.process = norm_conv(4 * width, 4 * width, 3, groups=4)

    def forward(self, features: Tensor) -> Tensor:
        """``(N, inputs, h, w)`` to ``(N, outputs, h, w)``."""
        point = self.point(features)
        scales = self.process(torch.cat([point + scale for scale in self.coarser(features)], dim=1))
        total: Tensor = self.compress(torch.cat([point, scales], dim=1)) + self.shortcut(features)
        return total
