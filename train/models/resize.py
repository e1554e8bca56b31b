"""The one way a map inside a network becomes as large as another."""

from torch import Tensor, nn


def resize_like(features: Tensor, other: Tensor) -> Tensor:
    """``(N, D, h, w)`` to the height and width of ``other``, bilinear, corners not aligned."""
    return nn.functional.interpolate(features, other.shape[-2:], mode="bilinear", align_corners=False)
