"""Plain: three small students of nothing but dense convolutions, for runtimes that fuse and quantise.

Every convolution is dense, 3x3 or 1x1. Batch norm folds into it, and the ReLU or the sum behind it is part of the same
kernel in TensorRT and ONNX Runtime. Each scale is halved by one convolution and refined by residual blocks; the mean of
the whole image is added at stride 32, and the scales are added up again from there to stride 4. Blocks keep their
shortcuts at inference: those that fold into one convolution (RepVGG, https://arxiv.org/abs/2101.03697) lose accuracy in
INT8 (https://arxiv.org/abs/2212.01593).
"""

from dataclasses import dataclass

from torch import Tensor, nn

from train.models.network import SegmentationNetwork
from train.models.residual import basic_block, conv_norm
from train.models.resize import resize_like

_MEAN = [123.675, 116.28, 103.53]
_STD = [58.395, 57.12, 57.375]
_STRIDES = (2, 4, 8, 16, 32)
_AUXILIARY_WIDTH = 64


@dataclass(frozen=True)
class Plan:
    """Widths and depths of a member of the family.

    Widths are multiples of 16, to which ONNX Runtime fills them up on AVX-512: 24 channels take as long as 32.
    """

    widths: tuple[int, int, int, int, int]
    """Channels at strides 2 to 32."""
    blocks: tuple[int, int, int, int, int]
    """Residual blocks at these strides."""
    decoder_widths: tuple[int, int]
    """Channels of the sum at stride 8, and at stride 4."""


PLANS = {
    "plain_s": Plan((16, 32, 48, 64, 80), (0, 0, 1, 1, 1), (32, 32)),
    "plain_m": Plan((16, 32, 64, 96, 128), (0, 0, 1, 2, 1), (64, 32)),
    "plain_l": Plan((32, 48, 80, 160, 224), (0, 0, 2, 2, 1), (96, 48)),
}
"""At most 0.36, 1 and 3 million parameters at 19 classes."""


class PlainNetwork(SegmentationNetwork):
    """Encoder to stride 32, decoder back to stride 4, and in training an auxiliary head at stride 16.

    Args:
        plan: one of `PLANS`.
        classes: how many there are.
    """

    auxiliary: nn.Module

    def __init__(self, plan: Plan, classes: int) -> None:
        super().__init__(classes, _STRIDES[-1], _MEAN, _STD)
        self.encoder = _Encoder(plan)
        self.decoder = _Decoder(plan)
        self.classifier = nn.Conv2d(plan.decoder_widths[1], classes, 1)
        self.auxiliary = nn.Sequential(
            *(conv_norm(plan.widths[3], _AUXILIARY_WIDTH, 3), nn.ReLU()), nn.Conv2d(_AUXILIARY_WIDTH, classes, 1)
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:
        """See `SegmentationNetwork`."""
        stages: list[Tensor] = self.encoder(image)
        maps = {f"stride:{stride}": stage for stride, stage in zip(_STRIDES, stages, strict=True)}
        if decoded:
            maps["fused"] = maps["pre_classifier"] = self.decoder(stages)
            maps["logits"] = self.classifier(maps["fused"])
            if self.training:
                maps["aux"] = self.auxiliary(maps["stride:16"])
        return maps


class _Encoder(nn.Module):
    def __init__(self, plan: Plan) -> None:
        super().__init__()
        inputs = (3, *plan.widths)
        self.stages = nn.ModuleList(map(_stage, inputs, plan.widths, plan.blocks))

    def forward(self, image: Tensor) -> list[Tensor]:
        maps = [image]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        return maps[1:]


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    stage = nn.Sequential(conv_norm(inputs, outputs, 3, stride=2), nn.ReLU())
    for _ in range(blocks):
        stage.extend([basic_block(outputs, outputs), nn.ReLU()])
    return stage


class _Decoder(nn.Module):
    def __init__(self, plan: Plan) -> None:
        super().__init__()
        _, quarter, eighth, sixteenth, deepest = plan.widths
        width, fine = plan.decoder_widths
        self.whole = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(deepest, deepest, 1))
        self.lateral32 = conv_norm(deepest, width, 1)
        self.lateral16 = conv_norm(sixteenth, width, 1)
        self.lateral8 = conv_norm(eighth, width, 1)
        self.fuse8 = nn.Sequential(nn.ReLU(), conv_norm(width, width, 3), nn.ReLU(), conv_norm(width, fine, 1))
        self.lateral4 = conv_norm(quarter, fine, 1)
        self.fuse4 = nn.Sequential(nn.ReLU(), conv_norm(fine, fine, 3), nn.ReLU())

    def forward(self, stages: list[Tensor]) -> Tensor:
        _, quarter, eighth, sixteenth, deepest = stages
        total = self.lateral32(deepest + self.whole(deepest))
        for lateral, stage in ((self.lateral16, sixteenth), (self.lateral8, eighth)):
            own = lateral(stage)
            total = own + resize_like(total, own)
        own = self.lateral4(quarter)
        fused: Tensor = self.fuse4(own + resize_like(self.fuse8(total), own))
        return fused


def plain(name: str, classes: int) -> PlainNetwork:
    """A member of the family, by its name in `PLANS`, with random weights."""
    return PlainNetwork(PLANS[name], classes)
