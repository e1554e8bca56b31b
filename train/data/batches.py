"""The endless, reproducible stream of training batches."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils import data

from train.data.dataset import Dataset
from train.data.spec import NeighbourSpec
from train.data.transforms import TrainTransform
from train.errors import UserError


class Batch(NamedTuple):
    """N crops, and what belongs to them."""

    image: Tensor
    """``(N, 3, h, w)`` uint8."""
    label: Tensor | None
    """``(N, h, w)`` uint8, 255 = ignore; None: the dataset has no labels at all."""
    neighbour: Tensor | None = None
    """``(N, 3, h, w)`` uint8: another frame of the same clip, under the same geometry and colours."""
    flow: Tensor | None = None
    """``(N, 2, h, w)`` float32, pixels: the point at x in `image` lies at x + flow(x) in `neighbour`."""
    visible: Tensor | None = None
    """``(N, h, w)`` bool: the flow is known, the point is inside of `neighbour` and, as far as known, not hidden."""
    broken: tuple[str, ...] = ()
    """What was wrong with samples that could not be read; others stand in their places."""


def training_batches(
    dataset: Dataset,
    transform: TrainTransform,
    batch_size: int,
    seed: int,
    start: int,
    stop: int,
    workers: int,
    neighbour: NeighbourSpec | None = None,
) -> Iterator[Batch]:
    """Batches ``start`` to ``stop``: the same ones for any number of workers and any point of resumption.

    Raises:
        UserError: a file of the dataset is broken; the message names it.
    """
    loader: data.DataLoader[Any] = data.DataLoader(
        _Augmented(dataset, transform, seed),
        batch_sampler=_Positions(batch_size, start, stop),
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else each epoch draws from the global one, and a resumed run departs
    )
    del neighbour  # frames of clips are not read yet
    for batch in loader:
        if isinstance(batch, UserError):
            raise batch
        yield batch


class _Positions(data.Sampler[list[int]]):
    """Positions in the endless stream, a batch at a time."""

    def __init__(self, batch_size: int, start: int, stop: int) -> None:
        self._batch_size = batch_size
        self._steps = range(start, stop)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self._steps:
            yield list(range(step * self._batch_size, (step + 1) * self._batch_size))


class _Augmented(data.Dataset[Any]):
    """Sample and augmentation as functions of the position in the endless stream: epoch after epoch, shuffled."""

    def __init__(self, dataset: Dataset, transform: TrainTransform, seed: int) -> None:
        self._dataset = dataset
        self._transform = transform
        self._seed = seed
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    def __getitem__(self, position: int) -> tuple[Tensor, Tensor] | UserError:
        try:
            sample = self._dataset[self._index(position)]
        except UserError as error:  # raised in a worker it would arrive wrapped in that worker's traceback
            return error
        return self._transform(sample, _mix(self._seed, position))

    def _index(self, position: int) -> int:
        epoch, offset = divmod(position, len(self._dataset))
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self._seed, epoch)).permutation(len(self._dataset))
        return int(self._order[offset])


def _mix(seed: int, position: int) -> int:
    return int(np.random.SeedSequence((seed, position)).generate_state(1, np.uint64)[0] >> 1)


def _collate(samples: list[tuple[Tensor, Tensor] | UserError]) -> Batch | UserError:
    error = next((sample for sample in samples if isinstance(sample, UserError)), None)
    if error is not None:
        return error
    images, labels = zip(*cast(list[tuple[Tensor, Tensor]], samples), strict=True)
    return Batch(torch.stack(images), torch.stack(labels))


def _one_thread(_worker: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
