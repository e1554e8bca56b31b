"""Whether two networks are the same: a digest of everything that they have learnt."""

import hashlib
from typing import Protocol

import torch
from torch import nn


class Digest(Protocol):
    """Of ``hashlib``."""

    def update(self, data: bytes | memoryview, /) -> None:
        """Take more."""


def weights_digest(network: nn.Module) -> str:
    """12 hexadecimal digits of a sha256 of parameters and buffers, wherever the network lies."""
    digest = hashlib.sha256()
    feed_weights(digest, network)
    return digest.hexdigest()[:12]


def feed_weights(digest: Digest, network: nn.Module) -> None:
    """Names, types, shapes and values, bit for bit."""
    for name, value in network.state_dict().items():
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
