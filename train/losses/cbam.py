"""Convolutional block attention: which channels, then which pixels of a map matter."""

import torch
from torch import Tensor, nn

# Channels of the map to a hidden unit.
_FEWER = 16


class Cbam(nn.Module):
    """A map refined by trained gates (Woo et al., https://arxiv.org/abs/1807.06521).

    Args:
        channels: D of the map.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(1, channels // _FEWER)
        self.channel = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels))
        self.spatial = nn.Sequential(nn.Conv2d(2, 1, kernel_size=7, padding=3, bias=False), nn.BatchNorm2d(1))

    def forward(self, features: Tensor, valid: Tensor) -> Tensor:
        """Features ``(N, D, H, W)``, refined; pixels that are not ``valid`` ``(N, H, W)`` have no part in the gates."""
        mean, highest = _over_space(features, valid)
        of_channels: Tensor = (self.channel(mean) + self.channel(highest)).sigmoid()
        features = features * of_channels[..., None, None]
        of_pixels: Tensor = self.spatial(_over_channels(features, valid)).sigmoid()
        return features * of_pixels


def untrained_cbam(features: Tensor, valid: Tensor) -> Tensor:
    """`Cbam` without its layers: the gates are the sums of mean and maximum."""
    mean, highest = _over_space(features, valid)
    features = features * (mean + highest).sigmoid()[..., None, None]
    return features * _over_channels(features, valid).sum(1, keepdim=True).sigmoid()


def _over_space(features: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and maximum over the valid pixels, ``(N, D)`` each; 0 where an image has none."""
    mask, count = valid[:, None], valid.sum((1, 2))[:, None]
    mean = torch.where(mask, features, 0).sum((2, 3)) / count.clamp(min=1)
    highest = features.masked_fill(~mask, -torch.inf).amax((2, 3))
    return mean, torch.where(count > 0, highest, 0)


def _over_channels(features: Tensor, valid: Tensor) -> Tensor:
    """Maximum and mean over the channels, ``(N, 2, H, W)``; 0 at pixels that are not valid."""
    return torch.where(valid[:, None], torch.stack([features.amax(1), features.mean(1)], 1), 0)
