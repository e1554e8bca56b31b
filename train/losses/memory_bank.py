"""Embeddings of earlier batches, class by class."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MemoryBank(nn.Module):
    """A ring of the last embeddings of each class, on the unit sphere; random ones until there are enough.

    Its buffers are part of a checkpoint.

    Args:
        classes: C.
        size: S, embeddings a class.
        channels: D.
        generator: draws the first ones.
    """

    embeddings: Tensor
    """``(C, S, D)``."""
    position: Tensor
    """``(C,)``: where the next one of each class goes."""

    def __init__(self, classes: int, size: int, channels: int, generator: torch.Generator) -> None:
        super().__init__()
        first = torch.randn(classes, size, channels, generator=generator)
        self.register_buffer("embeddings", F.normalize(first, dim=2))
        self.register_buffer("position", torch.zeros(classes, dtype=torch.long))

    @torch.no_grad()
    def insert(self, embeddings: Tensor, classes: Tensor) -> None:
        """Put embeddings ``(M, D)`` of the classes ``(M,)`` in the place of the oldest of their classes, in order."""
        count, size = self.embeddings.shape[:2]
        arrivals = torch.bincount(classes, minlength=count)
        rank = rank_in_group(classes, count)
        # More than the ring holds: the last ones stay.
        stays = rank >= arrivals[classes] - size
        place = (self.position[classes] + rank) % size
        self.embeddings[classes[stays], place[stays]] = embeddings[stays].to(self.embeddings)
        self.position.copy_((self.position + arrivals) % size)

    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """At most ``count`` random embeddings of each class, ``(C·count, D)``."""
        size = self.embeddings.shape[1]
        chosen = torch.randperm(size, generator=generator)[:count].to(self.embeddings.device)
        return self.embeddings[:, chosen].flatten(0, 1)


def rank_in_group(group: Tensor, groups: int) -> Tensor:
    """How many entries of ``group`` ``(M,)``, ids below ``groups``, come before each of the same id: ``(M,)``."""
    order = group.argsort(stable=True)
    counts = torch.bincount(group, minlength=groups)
    starts = counts.cumsum(0) - counts
    rank = torch.empty_like(group)
    rank[order] = torch.arange(len(group), device=group.device) - starts[group[order]]
    return rank
