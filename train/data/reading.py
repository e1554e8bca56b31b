"""Read every image of a split once, in several processes, and note what is in it (no torch)."""

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


def read_split(spec: DatasetSpec, split: str, images: int, workers: int) -> Iterator[Reading]:
    """The images of a split in its order; ``workers`` processes read them, 0: this one does.

    Raises:
        UserError: the split cannot be opened, or a process died.
    """
    if workers == 0:
        dataset = open_dataset(spec, split)
        yield from (read(dataset, index) for index in range(images))
        return
    # Spawned, not forked: a fork of a process with threads may hang.
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(workers, context, _open_in_worker, (spec, split)) as pool:
            yield from pool.map(_read_in_worker, range(images), chunksize=_IMAGES_A_TASK)
    except BrokenProcessPool:
        raise UserError(f"workers: a process that read {split} died, maybe of want of memory: give fewer") from None


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


_dataset: Dataset
"""The split that this worker process reads."""


def _open_in_worker(spec: DatasetSpec, split: str) -> None:
    global _dataset
    cv2.setNumThreads(0)
    _dataset = open_dataset(spec, split)


def _read_in_worker(index: int) -> Reading:
    return read(_dataset, index)
