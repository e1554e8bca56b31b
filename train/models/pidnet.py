"""PIDNet-S: details, context, and boundaries that decide between the two.

Xu et al., PIDNet, CVPR 2023, https://arxiv.org/abs/2206.02066. The paper's head for the boundaries themselves, which
runs in training only, belongs to the loss `boundary` and reads ``module:encoder.difference2``.
"""

from torch import Tensor, nn
from torch.nn.functional import relu

from train.models.branches import WIDTH, Branches, BranchNetwork, Stem
from train.models.pyramid_pooling import ParallelAggregationPyramidPooling
from train.models.residual import basic_block, basic_stage, bottleneck, conv_norm
from train.models.resize import resize_like


def pidnet_s(classes: int) -> BranchNetwork:
    """The network with random weights: 7.6 million parameters at 19 classes."""
    return BranchNetwork(_Encoder(), _Decoder(), head_width=128, classes=classes)


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.detail1 = basic_stage(2 * WIDTH, 2 * WIDTH, blocks=2)
        self.detail2 = basic_stage(2 * WIDTH, 2 * WIDTH, blocks=2)
        self.detail3 = bottleneck(2 * WIDTH, 2 * WIDTH)
        self.context16 = basic_stage(2 * WIDTH, 4 * WIDTH, blocks=3, stride=2)
        self.context32 = basic_stage(4 * WIDTH, 8 * WIDTH, blocks=3, stride=2)
        self.context64 = nn.Sequential(bottleneck(8 * WIDTH, 8 * WIDTH, stride=2), bottleneck(16 * WIDTH, 8 * WIDTH))
        self.boundary1 = basic_block(2 * WIDTH, WIDTH)
        self.boundary2 = bottleneck(WIDTH, WIDTH)
        self.boundary3 = bottleneck(2 * WIDTH, 2 * WIDTH)
        self.attention1 = _PixelAttention(4 * WIDTH)
        self.attention2 = _PixelAttention(8 * WIDTH)
        self.difference1 = _Difference(4 * WIDTH, WIDTH)
        self.difference2 = _Difference(8 * WIDTH, 2 * WIDTH)

    def forward(self, image: Tensor) -> Branches:
        half, quarter, shared = self.stem(image)
        context16 = relu(self.context16(shared))
        fused_once = self.attention1(self.detail1(shared), context16)
        boundary = self.difference1(self.boundary1(shared), context16)

        context32 = relu(self.context32(context16))
        detail = self.attention2(self.detail2(relu(fused_once)), context32)
        boundary = self.difference2(self.boundary2(relu(boundary)), context32)
        return Branches(
            shared=[(2, half), (4, quarter)],
            fused_once=fused_once,
            detail=self.detail3(relu(detail)),
            context=[(16, context16), (32, context32), (64, self.context64(context32))],
            boundary=self.boundary3(relu(boundary)),
        )


class _PixelAttention(nn.Module):
    """Pag: at each pixel, as much of the context as its embedding agrees with that of the details.

    Args:
        context: channels of the context; the details have ``2 * WIDTH``.
    """

    def __init__(self, context: int) -> None:
        super().__init__()
        self.compress = conv_norm(context, 2 * WIDTH, 1)
        self.embed_detail = conv_norm(2 * WIDTH, WIDTH, 1)
        self.embed_context = conv_norm(2 * WIDTH, WIDTH, 1)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        context = self.compress(context)
        agreement = self.embed_detail(detail) * resize_like(self.embed_context(context), detail)
        share = agreement.sum(dim=1, keepdim=True).sigmoid()
        fused: Tensor = (1 - share) * detail + share * resize_like(context, detail)
        return fused


class _Difference(nn.Module):
    """Adds to the map of boundaries what a convolution finds in that of the context, enlarged.

    Args:
        context: channels of the context.
        boundary: channels of the boundaries.
    """

    def __init__(self, context: int, boundary: int) -> None:
        super().__init__()
        self.convolve = conv_norm(context, boundary, 3)

    def forward(self, boundary: Tensor, context: Tensor) -> Tensor:
        return boundary + resize_like(self.convolve(context), boundary)


class _Decoder(nn.Module):
    """Light-Bag: details where there is a boundary, context elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.pyramid = ParallelAggregationPyramidPooling(16 * WIDTH, width=96, outputs=4 * WIDTH)
        self.convolve_detail = conv_norm(4 * WIDTH, 4 * WIDTH, 1)
        self.convolve_context = conv_norm(4 * WIDTH, 4 * WIDTH, 1)

    def forward(self, branches: Branches) -> Tensor:
        assert branches.boundary is not None
        detail, (_, deepest) = branches.detail, branches.context[-1]
        context = resize_like(self.pyramid(deepest), detail)
        edge = branches.boundary.sigmoid()
        details: Tensor = self.convolve_detail(detail + (1 - edge) * context)
        contexts: Tensor = self.convolve_context(context + edge * detail)
        return details + contexts
