"""Which sample stands where in the endless stream of a training (no torch)."""

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from train.data.dataset import Dataset
from train.data.neighbour import Neighbours

_MOST_CANDIDATES = 16
"""So many samples in a row that cannot be read are no chance: the dataset is not what the config says."""


@dataclass(frozen=True)
class Pool:
    """Images without labels that join a training, and their share of its images."""

    dataset: Dataset
    share: float


class Stream:
    """The samples of a dataset, epoch after epoch, shuffled anew in each."""

    def __init__(self, dataset: Dataset, neighbours: Neighbours | None, seed: int, number: int) -> None:
        self.dataset = dataset
        self.neighbours = neighbours
        self._seed = seed
        self._number = number
        self._epoch = -1
        self._order: NDArray[np.int64] = np.empty(0, np.int64)

    def candidates(self, position: int) -> list[int]:
        """The sample of a position, and those that take its place if it is broken, in this order."""
        epoch, offset = divmod(position, len(self.dataset))
        if epoch != self._epoch:
            self._epoch = epoch
            # The first stream's order is that of a training without a pool.
            seed = (self._seed, epoch, self._number) if self._number else (self._seed, epoch)
            self._order = np.random.default_rng(seed).permutation(len(self.dataset))
        return [int(index) for index in np.roll(self._order, -offset)[:_MOST_CANDIDATES]]


class Place(NamedTuple):
    """A position in one of the streams."""

    stream: Stream
    position: int


class Mixture:
    """The labelled stream with the pool's between, so evenly that any part of a batch has its share of both."""

    def __init__(self, labelled: Stream, unlabelled: Stream | None = None, share: float = 0.0) -> None:
        self._labelled = labelled
        self._unlabelled = unlabelled
        self._share = Fraction(share).limit_denominator(1000)  # in whole numbers, no position is ever off by rounding

    @property
    def has_labels(self) -> bool:
        """Whether any image has one."""
        return self._labelled.dataset.labelled

    def at(self, position: int) -> Place:
        """What stands there."""
        before = int(position * self._share)
        if self._unlabelled is not None and int((position + 1) * self._share) > before:
            return Place(self._unlabelled, before)
        return Place(self._labelled, position - before)
