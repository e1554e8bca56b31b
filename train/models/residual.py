"""Residual blocks and convolutions that the networks with several branches are made of.

He et al., Deep residual learning, https://arxiv.org/abs/1512.03385. No block rectifies its sum: branches are fused
before the ReLU, which therefore belongs to whoever reads the sum.
"""

from torch import Tensor, nn


def conv_norm(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential:
    """Convolution ``(N, inputs, h, w)`` to ``(N, outputs, h/stride, w/stride)``, and batch norm."""
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))


def norm_conv(inputs: int, outputs: int, kernel: int, groups: int = 1) -> nn.Sequential:
    """Batch norm, ReLU and convolution, ``(N, inputs, h, w)`` to ``(N, outputs, h, w)``, after a sum not rectified."""
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups, bias=False)
    return nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU(), convolution)


class Residual(nn.Module):
    """``body(x) + shortcut(x)``; the shortcut is a convolution where shapes change."""

    def __init__(self, body: nn.Module, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = body
        keeps_shape = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if keeps_shape else conv_norm(inputs, outputs, 1, stride)

    def forward(self, features: Tensor) -> Tensor:
        """``(N, inputs, h, w)`` to ``(N, outputs, h/stride, w/stride)``."""
        total: Tensor = self.body(features) + self.shortcut(features)
        return total


def basic_block(inputs: int, outputs: int, stride: int = 1) -> Residual:
    """Two 3x3 convolutions."""
    body = nn.Sequential(conv_norm(inputs, outputs, 3, stride), nn.ReLU(), conv_norm(outputs, outputs, 3))
    return Residual(body, inputs, outputs, stride)


def bottleneck(inputs: int, width: int, stride: int = 1) -> Residual:
    """1x1, 3x3 and 1x1 convolution, to ``2 * width`` channels."""
    body = nn.Sequential(
        *(conv_norm(inputs, width, 1), nn.ReLU()),
        *(conv_norm(width, width, 3, stride), nn.ReLU()),
        conv_norm(width, 2 * width, 1),
    )
    return Residual(body, inputs, 2 * width, stride)


def basic_stage(inputs: int, outputs: int, blocks: int, stride: int = 1) -> nn.Sequential:
    """Basic blocks with a ReLU between two; the first has the stride."""
    stage = nn.Sequential(basic_block(inputs, outputs, stride))
    for _ in range(1, blocks):
        stage.extend([nn.ReLU(), basic_block(outputs, outputs)])
    return stage
