"""DDRNet-23-slim: two branches that exchange what they know, twice.

Hong et al., Deep dual-resolution networks, https://arxiv.org/abs/2101.06085.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn.functional import relu

from train.models.branches import WIDTH, Branches, BranchNetwork, Stem
from train.models.pyramid_pooling import DeepAggregationPyramidPooling
from train.models.residual import basic_stage, bottleneck, conv_norm
from train.models.resize import resize_like


def ddrnet_23_slim(classes: int) -> BranchNetwork:
    """The network with random weights: 5.7 million parameters at 19 classes."""
    return BranchNetwork(_Encoder(), _Decoder(), head_width=64, classes=classes)


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.detail1 = basic_stage(2 * WIDTH, 2 * WIDTH, blocks=2)
        self.detail2 = basic_stage(2 * WIDTH, 2 * WIDTH, blocks=2)
        self.detail3 = bottleneck(2 * WIDTH, 2 * WIDTH)
        self.context16 = basic_stage(2 * WIDTH, 4 * WIDTH, blocks=2, stride=2)
        self.context32 = basic_stage(4 * WIDTH, 8 * WIDTH, blocks=2, stride=2)
        self.context64 = bottleneck(8 * WIDTH, 8 * WIDTH, stride=2)
        self.fusion1 = _BilateralFusion([2 * WIDTH, 4 * WIDTH])
        self.fusion2 = _BilateralFusion([2 * WIDTH, 4 * WIDTH, 8 * WIDTH])

    def forward(self, image: Tensor) -> Branches:
        half, quarter, shared = self.stem(image)
        fused_once, context = self.fusion1(self.detail1(shared), self.context16(shared))
        context16 = relu(context)
        detail, context = self.fusion2(self.detail2(relu(fused_once)), self.context32(context16))
        context32 = relu(context)
        return Branches(
            shared=[(2, half), (4, quarter)],
            fused_once=fused_once,
            detail=self.detail3(relu(detail)),
            context=[(16, context16), (32, context32), (64, self.context64(context32))],
        )


class _BilateralFusion(nn.Module):
    """Context, compressed and enlarged, is added to the details; details, convolved down, to the context.

    Args:
        channels: of the details, and of each halving on the way to the context.
    """

    def __init__(self, channels: list[int]) -> None:
        super().__init__()
        self.compress = conv_norm(channels[-1], channels[0], 1)
        self.down = nn.Sequential()
        for inputs, outputs in pairwise(channels):
            self.down.extend([nn.ReLU(), conv_norm(inputs, outputs, 3, stride=2)])

    def forward(self, detail: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        raised = resize_like(self.compress(relu(context)), detail)
        return detail + raised, context + self.down(detail)


class _Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pyramid = DeepAggregationPyramidPooling(16 * WIDTH, width=128, outputs=4 * WIDTH)

    def forward(self, branches: Branches) -> Tensor:
        _, deepest = branches.context[-1]
        return branches.detail + resize_like(self.pyramid(deepest), branches.detail)
