"""The endless, reproducible stream of training batches."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils import data

from train.data.dataset import Dataset
from train.data.neighbour import Neighbours, open_neighbours
from train.data.spec import NeighbourSpec
from train.data.transforms import Crop, TrainTransform
from train.errors import UserError
from train.interruption import leave_signals_to_the_parent

_MOST_CANDIDATES = 16
"""So many samples in a row that cannot be read are no chance: the dataset is not what the config says."""


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
    valid: Tensor | None = None
    """``(N, h, w)`` bool: what counts where no label is needed. Of a labelled image what is not ignored; of one that
    has no label all but the padding. None: as the label says."""
    neighbour_valid: Tensor | None = None
    """``(N, h, w)`` bool: all of `neighbour` but the padding."""
    broken: tuple[str, ...] = ()
    """What was wrong with samples that could not be read; others stand in their places."""


class Share(NamedTuple):
    """Which of so many equal parts of a batch, from 0: one after the other they are the batch."""

    number: int
    shares: int


WHOLE = Share(0, 1)


def training_batches(
    dataset: Dataset,
    transform: TrainTransform,
    batch_size: int,
    seed: int,
    start: int,
    stop: int,
    workers: int,
    neighbour: NeighbourSpec | None = None,
    share: Share = WHOLE,
) -> Iterator[Batch]:
    """Batches ``start`` to ``stop``: the same ones for any number of workers and any point of resumption.

    ``batch_size`` is that of all processes together; ``share`` says which part of each batch is given.

    A sample that cannot be read is replaced by the next one of its epoch that can, and `Batch.broken` says so.
    Neighbours are read, and flow is computed, in the workers, and only if ``neighbour`` is given; images, labels and
    their augmentation are the same with it and without.

    Raises:
        UserError: the dataset cannot give neighbours, said by the call itself; or, later, many samples in a row are
            broken; the message is that of the first.
    """
    neighbours = None if neighbour is None else open_neighbours(dataset, neighbour)
    loader: data.DataLoader[Any] = data.DataLoader(
        _Augmented(dataset, transform, seed, neighbours),
        batch_sampler=_Positions(batch_size, start, stop, share),
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_prepare_worker,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else each epoch draws from the global one, and a resumed run departs
    )
    return _checked(loader)


def _checked(loader: "data.DataLoader[Any]") -> Iterator[Batch]:
    for batch in loader:
        if isinstance(batch, UserError):
            raise batch
        yield batch._replace(broken=tuple(batch.broken))  # some versions of torch pin tuples as lists


class _Positions(data.Sampler[list[int]]):
    """Positions in the endless stream, a batch at a time."""

    def __init__(self, batch_size: int, start: int, stop: int, share: Share) -> None:
        self._batch_size = batch_size
        self._steps = range(start, stop)
        self._share = share

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[int]]:
        images = self._batch_size // self._share.shares
        for step in self._steps:
            first = step * self._batch_size + self._share.number * images
            yield list(range(first, first + images))


class _Drawn(NamedTuple):
    crop: Crop
    broken: list[str]
    labelled: bool


class _Augmented(data.Dataset[Any]):
    """Sample and augmentation as functions of the position in the endless stream: epoch after epoch, shuffled."""

    def __init__(self, dataset: Dataset, transform: TrainTransform, seed: int, neighbours: Neighbours | None) -> None:
        self._dataset = dataset
        self._transform = transform
        self._seed = seed
        self._neighbours = neighbours
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    def __getitem__(self, position: int) -> _Drawn | UserError:
        errors: list[UserError] = []
        for index in self._candidates(position):
            try:
                crop = self._crop(index, _mix(self._seed, position))
            except UserError as error:
                errors.append(error)
            else:
                return _Drawn(crop, [str(error) for error in errors], self._dataset.labelled)
        return errors[0]  # raised in a worker it would arrive wrapped in that worker's traceback

    def _crop(self, index: int, seed: int) -> Crop:
        sample = self._dataset[index]
        if self._neighbours is None:
            return self._transform(sample, seed)
        return self._transform(sample, seed, self._neighbours.of(index, sample, seed))

    def _candidates(self, position: int) -> list[int]:
        """The sample of a position, and those that take its place if it is broken, in this order."""
        epoch, offset = divmod(position, len(self._dataset))
        if epoch != self._epoch:
            self._epoch = epoch
            self._order = np.random.default_rng((self._seed, epoch)).permutation(len(self._dataset))
        return [int(index) for index in np.roll(self._order, -offset)[:_MOST_CANDIDATES]]


def _mix(seed: int, position: int) -> int:
    return int(np.random.SeedSequence((seed, position)).generate_state(1, np.uint64)[0] >> 1)


def _collate(samples: list[_Drawn | UserError]) -> Batch | UserError:
    error = next((sample for sample in samples if isinstance(sample, UserError)), None)
    if error is not None:
        return error
    drawn = cast(list[_Drawn], samples)
    crops = Crop(*(_stack(parts) for parts in zip(*(sample.crop for sample in drawn), strict=True)))
    return Batch(
        image=crops.image,
        label=crops.label if drawn[0].labelled else None,
        neighbour=crops.neighbour,
        flow=crops.flow,
        visible=crops.visible,
        valid=crops.valid,
        neighbour_valid=crops.neighbour_valid,
        broken=tuple(message for sample in drawn for message in sample.broken),
    )


def _stack(parts: tuple[Any, ...]) -> Any:
    return None if parts[0] is None else torch.stack(parts)


def _prepare_worker(_worker: int) -> None:
    leave_signals_to_the_parent()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
