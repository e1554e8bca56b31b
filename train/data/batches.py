"""The endless, reproducible stream of training batches."""

from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils import data

from train.data.dataset import Dataset, Sample
from train.data.mixture import Mixture, Pool, Stream
from train.data.neighbour import open_neighbours
from train.data.spec import NeighbourSpec
from train.data.transforms import Crop, TrainTransform
from train.errors import UserError
from train.interruption import leave_signals_to_the_parent


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
    labelled: Tensor | None = None
    """``(N,)`` bool: which of the images have a label."""
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
    pool: Pool | None = None,
) -> Iterator[Batch]:
    """Batches ``start`` to ``stop``: the same ones for any number of workers and any point of resumption.

    ``batch_size`` is that of all processes together; ``share`` says which part of each batch is given. The images of a
    ``pool`` stand between those of ``dataset``.

    A sample that cannot be read is replaced by the next one of its epoch that can, and `Batch.broken` says so.
    Neighbours are read, and flow is computed, in the workers, and only if ``neighbour`` is given; images, labels and
    their augmentation are the same with it and without.

    Raises:
        UserError: the dataset cannot give neighbours, said by the call itself; or, later, many samples in a row are
            broken; the message is that of the first.
    """
    mixture = Mixture(_stream(dataset, neighbour, seed))
    if pool is not None:
        mixture = Mixture(_stream(dataset, neighbour, seed), _stream(pool.dataset, neighbour, seed, 1), pool.share)
    loader: data.DataLoader[Any] = data.DataLoader(
        _Augmented(mixture, transform, seed),
        batch_sampler=_Positions(batch_size, start, stop, share),
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_prepare_worker,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # else each epoch draws from the global one, and a resumed run departs
    )
    return _checked(loader)


def _stream(dataset: Dataset, neighbour: NeighbourSpec | None, seed: int, number: int = 0) -> Stream:
    return Stream(dataset, None if neighbour is None else open_neighbours(dataset, neighbour), seed, number)


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
    """Whether this image has a label."""
    among_labels: bool
    """Whether any of the training has."""


class _Augmented(data.Dataset[Any]):
    """Sample and augmentation as functions of the position in the endless stream: epoch after epoch, shuffled."""

    def __init__(self, mixture: Mixture, transform: TrainTransform, seed: int) -> None:
        self._mixture = mixture
        self._transform = transform
        self._seed = seed

    def __getitem__(self, position: int) -> _Drawn | UserError:
        errors: list[UserError] = []
        stream, own = self._mixture.at(position)
        for index in stream.candidates(own):
            try:
                sample = stream.dataset[index]
                crop = self._crop(stream, index, sample, self._augmentation(stream, index, own, position))
            except UserError as error:
                errors.append(error)
            else:
                return _Drawn(crop, [str(error) for error in errors], sample.labelled, self._mixture.has_labels)
        return errors[0]  # raised in a worker it would arrive wrapped in that worker's traceback

    def _augmentation(self, stream: Stream, index: int, own: int, position: int) -> int:
        """The seed of it: of this position, or of one of so many of the image, a different one in the next epoch.

        Those of the image do not depend on the run's seed: what a teacher says of them is kept once for all seeds.
        """
        variants = self._transform.variants
        if not variants:
            return _mix(self._seed, position)
        return _mix(0, index, own // len(stream.dataset) % variants)

    def _crop(self, stream: Stream, index: int, sample: Sample, seed: int) -> Crop:
        if stream.neighbours is None:
            return self._transform(sample, seed)
        return self._transform(sample, seed, stream.neighbours.of(index, sample, seed))


def _mix(seed: int, *place: int) -> int:
    return int(np.random.SeedSequence((seed, *place)).generate_state(1, np.uint64)[0] >> 1)


def _collate(samples: list[_Drawn | UserError]) -> Batch | UserError:
    error = next((sample for sample in samples if isinstance(sample, UserError)), None)
    if error is not None:
        return error
    drawn = cast(list[_Drawn], samples)
    crops = Crop(*(_stack(parts) for parts in zip(*(sample.crop for sample in drawn), strict=True)))
    return Batch(
        image=crops.image,
        label=crops.label if drawn[0].among_labels else None,
        neighbour=crops.neighbour,
        flow=crops.flow,
        visible=crops.visible,
        valid=crops.valid,
        neighbour_valid=crops.neighbour_valid,
        labelled=torch.tensor([sample.labelled for sample in drawn]),
        broken=tuple(message for sample in drawn for message in sample.broken),
    )


def _stack(parts: tuple[Any, ...]) -> Any:
    return None if parts[0] is None else torch.stack(parts)


def _prepare_worker(_worker: int) -> None:
    leave_signals_to_the_parent()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
