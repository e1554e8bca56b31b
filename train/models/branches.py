"""Networks that keep a branch of details at stride 8 beside one of context that goes on to stride 64."""

from typing import NamedTuple

from torch import Tensor, nn

from train.models.network import SegmentationNetwork
from train.models.residual import basic_stage, conv_norm, norm_conv

_MEAN = [123.675, 116.28, 103.53]
_STD = [58.395, 57.12, 57.375]
_CONTEXT_STRIDE = 64

WIDTH = 32
"""Channels of the stem in the small members of both families."""


class Branches(NamedTuple):
    """What an encoder of several branches gives."""

    shared: list[tuple[int, Tensor]]
    """Stride and map of the stages before the branches part: 2 and 4."""
    fused_once: Tensor
    """Details after the first fusion, ``(N, 2 * WIDTH, H/8, W/8)``: what the auxiliary head reads."""
    detail: Tensor
    """The end of the branch, ``(N, 4 * WIDTH, H/8, W/8)``."""
    context: list[tuple[int, Tensor]]
    """Stride and map of the stages of context: 16, 32 and 64."""
    boundary: Tensor | None = None
    """The end of the branch of boundaries, shaped like `detail`, where there is one."""

    @property
    def stages(self) -> dict[str, Tensor]:
        """By tap. At stride 8 several branches meet: the stage is the end of the branch of details."""
        return {f"stride:{stride}": found for stride, found in (*self.shared, (8, self.detail), *self.context)}


class Stem(nn.Module):
    """What the branches share: two stages of basic blocks, to stride 8."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution2 = nn.Sequential(conv_norm(3, WIDTH, 3, stride=2), nn.ReLU())
        self.convolution4 = nn.Sequential(conv_norm(WIDTH, WIDTH, 3, stride=2), nn.ReLU())
        self.stage4 = nn.Sequential(basic_stage(WIDTH, WIDTH, blocks=2), nn.ReLU())
        self.stage8 = nn.Sequential(basic_stage(WIDTH, 2 * WIDTH, blocks=2, stride=2), nn.ReLU())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images ``(N, 3, H, W)`` to maps of stride 2, 4 and 8."""
        half = self.convolution2(image)
        quarter = self.stage4(self.convolution4(half))
        return half, quarter, self.stage8(quarter)


class BranchNetwork(SegmentationNetwork):
    """Encoder of several branches, decoder that fuses them, and a head at stride 8.

    Weights start as both papers' authors start theirs: He et al., https://arxiv.org/abs/1502.01852.

    Args:
        encoder: images ``(N, 3, H, W)`` to `Branches`.
        decoder: `Branches` to the fused map ``(N, 4 * WIDTH, H/8, W/8)``.
        head_width: channels that the classifier reads.
        classes: how many there are.
    """

    auxiliary: nn.Module

    def __init__(self, encoder: nn.Module, decoder: nn.Module, head_width: int, classes: int) -> None:
        super().__init__(classes, _CONTEXT_STRIDE, _MEAN, _STD)
        self.encoder = encoder
        self.decoder = decoder
        self.head = _head(4 * WIDTH, head_width)
        self.classifier = nn.Conv2d(head_width, classes, 1)
        self.auxiliary = nn.Sequential(_head(2 * WIDTH, head_width), nn.Conv2d(head_width, classes, 1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:
        """See `SegmentationNetwork`."""
        branches: Branches = self.encoder(image)
        maps = branches.stages
        if decoded:
            maps["fused"] = self.decoder(branches)
            maps["pre_classifier"] = self.head(maps["fused"])
            maps["logits"] = self.classifier(maps["pre_classifier"])
            if self.training:
                maps["aux"] = self.auxiliary(branches.fused_once)
        return maps


def _head(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(norm_conv(inputs, width, 3), nn.BatchNorm2d(width), nn.ReLU())
