"""Channels and strides of a network's taps."""

from collections.abc import Collection
from dataclasses import dataclass

import torch

from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.models.taps import Tap

# Large enough for the pooling pyramids of every decoder.
_SIDE = 256


@dataclass(frozen=True)
class TapShape:
    """Shape of the map at a tap."""

    channels: int
    stride: int
    """Pixels of the image to a pixel of the map."""


@dataclass(frozen=True)
class TapShapes:
    """The maps that a loss was promised, of both networks; no teacher: an empty dictionary."""

    classes: int
    student: dict[Tap, TapShape]
    teacher: dict[Tap, TapShape]


def tap_shapes(network: SegmentationNetwork, taps: Collection[Tap]) -> dict[Tap, TapShape]:
    """Shapes of the taps, from one forward pass.

    Raises:
        UserError: the network has no such tap.
    """
    if not taps:
        return {}
    side = -(-_SIDE // network.multiple) * network.multiple
    training = network.training
    network.eval()
    with torch.inference_mode():
        shown = network(torch.zeros(1, 3, side, side, device=network.mean.device), frozenset(taps))
    network.train(training)
    maps = {tap: shown[tap] for tap in taps}
    for tap, found in maps.items():
        if found.shape[-1] <= 1 or side % found.shape[-1]:
            shape = tuple(found.shape)
            raise UserError(f"tap '{tap}': its map is {shape} for an image of {side}x{side}, no stride: choose another")
    return {tap: TapShape(found.shape[1], side // found.shape[-1]) for tap, found in maps.items()}
