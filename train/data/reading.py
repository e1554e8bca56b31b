"""Read every image of a dataset once, in several processes, and note what is in it (no torch)."""

import hashlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import NamedTuple

import cv2
import numpy as np

from train.data.dataset import Dataset
from train.data.label import UnknownLabelError
from train.data.open import open_dataset
from train.data.spec import DatasetSpec
from train.errors import UserError

_IMAGES_A_TASK = 8


class Reading(NamedTuple):
    """What was found in one image and its label; of those that cannot be read, only why."""

    name: str = ""
    size: tuple[int, int] = (0, 0)
    """Height and width, pixels."""
    digest: bytes = b""
    """Hash of the decoded pixels: equal for copies in another lossless format, too."""
    pixels: dict[int, int] = {}
    """Pixels of each class id, 255 = ignored."""
    broken: str = ""
    unknown: str = ""
    """Which ids or colours belong to no class."""


def read_splits(spec: DatasetSpec, datasets: dict[str, Dataset], workers: int) -> Iterator[tuple[str, Reading]]:
    """The splits of ``spec``, opened as ``datasets``, one after the other: each image with the name of its split.

    ``workers`` processes read them, 0: this one does.

    Raises:
        UserError: a process died.
    """
    places = [(split, index) for split, dataset in datasets.items() for index in range(len(dataset))]
    if workers == 0:
        yield from ((split, read(datasets[split], index)) for split, index in places)
        return
    # Spawned, not forked: a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, context, _open_in_worker, (spec, list(datasets))) as pool:
            readings = pool.map(_read_in_worker, places, chunksize=_IMAGES_A_TASK)
            yield from zip((split for split, _ in places), readings, strict=True)
    except BrokenProcessPool:
        raise UserError("workers: a process that reads died, maybe for want of memory: give fewer") from None


def read(dataset: Dataset, index: int) -> Reading:
    """Read one image and its label."""
    try:
        sample = dataset[index]
    except UnknownLabelError as error:
        return Reading(unknown=str(error))
    except UserError as error:
        return Reading(broken=str(error))
    counts = np.bincount(sample.label.ravel(), minlength=256)
    return Reading(
        name=sample.name,
        size=(sample.image.shape[0], sample.image.shape[1]),
        digest=hashlib.blake2b(sample.image.tobytes(), digest_size=16).digest(),
        pixels={int(label): int(counts[label]) for label in np.flatnonzero(counts)},
    )


_datasets: dict[str, Dataset] = {}
"""The splits that this worker process reads."""


def _open_in_worker(spec: DatasetSpec, splits: list[str]) -> None:
    cv2.setNumThreads(0)
    _datasets.update({split: open_dataset(spec, split) for split in splits})


def _read_in_worker(place: tuple[str, int]) -> Reading:
    split, index = place
    return read(_datasets[split], index)
