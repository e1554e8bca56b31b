"""Decoded images and labels of a split in one file, so that no later run decodes them again."""

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils import data

from train.data.dataset import Clips, Dataset, Sample
from train.data.spec import DatasetSpec
from train.durable import atomic_path, sync, writing
from train.errors import UserError
from train.file_lock import file_lock
from train.progress import progress


class _Entry(NamedTuple):
    """Where a sample lies: its image, then its label."""

    offset: int
    height: int
    width: int
    name: str
    labelled: bool
    broken: str
    """Why it could not be read; "": it could."""


class CachedDataset:
    """A dataset whose samples are read from a file of their pixels. Other frames of its clips are read as ever.

    Args:
        dataset: whose samples they are.
        folder: that `cached` has made.
    """

    def __init__(self, dataset: Dataset, folder: Path) -> None:
        self.name, self.classes, self.palette = dataset.name, dataset.classes, dataset.palette
        self.label_map, self.labelled = dataset.label_map, dataset.labelled
        self.clips: Clips | None = dataset.clips
        self._path = folder / "pixels"
        self._entries = [_Entry(*entry) for entry in json.loads((folder / "index.json").read_text(encoding="utf-8"))]

    @cached_property
    def _pixels(self) -> NDArray[np.uint8]:
        # Opened by each worker for itself: the pages are the system's, and shared.
        return np.memmap(self._path, np.uint8, "r")

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Sample:
        offset, height, width, name, labelled, broken = self._entries[index]
        if broken:
            raise UserError(broken)
        area = height * width
        image = self._pixels[offset : offset + 3 * area].reshape(height, width, 3)
        label = self._pixels[offset + 3 * area : offset + 4 * area].reshape(height, width)
        return Sample(image, label, name, labelled)


def cached(dataset: Dataset, spec: DatasetSpec, split: str, folder: Path, workers: int) -> CachedDataset:
    """The same samples out of ``folder``, which is filled first where it has not them as they are now.

    What was cached counts as long as no file below the dataset's root has come, gone, or got another size or time, and
    the dataset is opened by the same settings; else it is made anew, by ``workers`` processes (0: by this one).
    Trainings that begin together fill it once: the others wait for the first.

    Raises:
        UserError: it cannot be written.
    """
    target = folder / f"{dataset.name.replace('/', '-')}-{_key(spec, split, len(dataset), folder)}"
    if not (target / "index.json").is_file():
        with writing(target, "make room, choose another folder with --data.cache, or train without"):
            folder.mkdir(parents=True, exist_ok=True)
            with _alone(target):
                if not (target / "index.json").is_file():
                    _fill(target, dataset, workers)
    return CachedDataset(dataset, target)


@contextlib.contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Wait until no other process fills it, and say so."""
    lock = target.with_name(f".{target.name}.lock")
    with contextlib.ExitStack() as held:
        if not held.enter_context(file_lock(lock)):
            print(f"cache: {target}: another training fills it, waiting for that", flush=True)
            held.enter_context(file_lock(lock, math.inf))
        yield


def _fill(target: Path, dataset: Dataset, workers: int) -> None:
    with atomic_path(target) as path:
        path.mkdir()
        _pack(path, progress(_decoded(dataset, workers), f"cache {dataset.name}", len(dataset)))
    size = (target / "pixels").stat().st_size
    print(f"cache: {target}: {len(dataset)} samples, {size / 2**20:.1f} MiB", flush=True)


def _pack(folder: Path, samples: Iterator[Sample | UserError]) -> None:
    entries: list[_Entry] = []
    with (folder / "pixels").open("wb") as file:
        for sample in samples:
            if isinstance(sample, UserError):
                entries.append(_Entry(file.tell(), 0, 0, "", False, str(sample)))
                continue
            height, width = sample.label.shape
            entries.append(_Entry(file.tell(), height, width, sample.name, sample.labelled, ""))
            file.write(np.ascontiguousarray(sample.image).data)
            file.write(np.ascontiguousarray(sample.label).data)
        if not file.tell():
            file.write(b"\0")  # nothing cannot be mapped
    (folder / "index.json").write_text(json.dumps(entries), encoding="utf-8")
    for path in folder.iterdir():
        sync(path)


def _decoded(dataset: Dataset, workers: int) -> Iterator[Sample | UserError]:
    return iter(data.DataLoader(_Readable(dataset), batch_size=None, num_workers=workers, collate_fn=_as_it_is))


@dataclass(frozen=True)
class _Readable(data.Dataset[Any]):
    """A sample, or why it cannot be read: raised in a worker that would arrive wrapped in its traceback."""

    samples: Dataset

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample | UserError:
        try:
            return self.samples[index]
        except UserError as error:
            return error


def _as_it_is(sample: Any) -> Any:
    return sample


def _key(spec: DatasetSpec, split: str, samples: int, cache: Path) -> str:
    without = {"train_split", "val_split"} | (set() if spec.taught else {"unlabelled", "pool"})
    settings = spec.model_dump(mode="json", include=set(DatasetSpec.model_fields), exclude=without)
    found = hashlib.blake2b(json.dumps([settings, split, samples], sort_keys=True).encode(), digest_size=8)
    roots = spec.unlabelled if spec.taught else [spec.root] if spec.root else []
    for root in roots:
        for name, size, time_ns in sorted(_files(root, cache.resolve())):
            found.update(f"{name}\0{size}\0{time_ns}\0".encode())
    return found.hexdigest()


def _files(root: Path, but: Path) -> Iterator[tuple[str, int, int]]:
    if root.is_file():
        yield root.name, root.stat().st_size, root.stat().st_mtime_ns
    for folder, folders, names in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if (Path(folder) / name).resolve() != but]
        for name in names:
            path = Path(folder) / name
            state = path.stat()
            yield str(path.relative_to(root)), state.st_size, state.st_mtime_ns
