import os
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from train.data.cache import CachedDataset, cached
from train.data.dataset import Dataset, Sample
from train.data.open import open_dataset
from train.data.spec import DataConfig
from train.errors import UserError


def opened(root: Path, folder: Path, **changes: object) -> tuple[Dataset, CachedDataset]:
    config = DataConfig.model_validate({"layout": "folder", "root": root, **changes})
    dataset = open_dataset(config, "train")
    return dataset, cached(dataset, config, "train", folder, workers=0)


def test_samples_are_the_same_out_of_the_cache(folder_root: Path, tmp_path: Path) -> None:
    dataset, packed = opened(folder_root, tmp_path)
    assert len(packed) == len(dataset) == 6
    for index in range(6):
        one, other = dataset[index], packed[index]
        assert (one.name, one.labelled) == (other.name, other.labelled)
        assert np.array_equal(one.image, other.image)
        assert np.array_equal(one.label, other.label)
    assert (packed.classes, packed.palette, packed.name) == (dataset.classes, dataset.palette, dataset.name)


def test_it_is_filled_once_and_says_how_large_it_is(
    new_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cache"
    opened(new_folder, folder)
    assert "2 samples, 0.0 MiB" in capsys.readouterr().out
    (made,) = folder.iterdir()
    assert (made / "pixels").stat().st_size == 2 * 64 * 96 * 4
    time_ns = (made / "pixels").stat().st_mtime_ns
    opened(new_folder, folder)
    assert list(folder.iterdir()) == [made]
    assert (made / "pixels").stat().st_mtime_ns == time_ns
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("change", ["another file", "another time", "another meaning"])
def test_what_has_changed_is_read_again(new_folder: Path, tmp_path: Path, change: str) -> None:
    opened(new_folder, tmp_path / "cache")
    mask = new_folder / "train" / "masks" / "0.png"
    changes: dict[str, object] = {}
    if change == "another file":
        mask.write_bytes((new_folder / "train" / "masks" / "1.png").read_bytes())
    elif change == "another time":
        os.utime(mask, ns=(0, 0))
    else:
        changes["label_map"] = {0: 1, 1: 0, 2: 2}
    dataset, packed = opened(new_folder, tmp_path / "cache", **changes)
    assert len(list((tmp_path / "cache").iterdir())) == 2
    assert np.array_equal(packed[0].label, dataset[0].label)


def test_a_cache_inside_of_the_dataset_does_not_count_as_a_change(new_folder: Path) -> None:
    for _ in range(2):
        opened(new_folder, new_folder / "cache")
    assert len(list((new_folder / "cache").iterdir())) == 1


def test_a_broken_sample_stays_broken(new_folder: Path, tmp_path: Path) -> None:
    broken = new_folder / "train" / "masks" / "1.png"
    broken.write_bytes(b"no picture")
    _, packed = opened(new_folder, tmp_path)
    with pytest.raises(UserError, match=str(broken)):
        packed[1]
    assert packed[0].name == "0"


def test_two_that_begin_together_fill_it_once(
    new_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second one begins while the first is in the middle of it."""
    config = DataConfig.model_validate({"layout": "folder", "root": new_folder})
    one, other = open_dataset(config, "train"), open_dataset(config, "train")
    decoded: list[str] = []

    def decode(dataset: Dataset, begin: Callable[[], None]) -> CachedDataset:
        return cached(_Watched(dataset, decoded, begin), config, "train", tmp_path / "cache", workers=0)

    with ThreadPoolExecutor(1) as pool:
        second: list[Future[CachedDataset]] = []

        def begin_second() -> None:
            if not second:
                second.append(pool.submit(decode, other, lambda: None))
                time.sleep(0.3)

        first = decode(one, begin_second)
        assert np.array_equal(first[1].image, second[0].result()[1].image)
    assert decoded == ["0", "1"]
    assert capsys.readouterr().out.count("another training fills it") == 1


class _Watched:
    """A dataset that says what was decoded."""

    def __init__(self, dataset: Dataset, decoded: list[str], begin: Callable[[], None]) -> None:
        self._dataset, self._decoded, self._begin = dataset, decoded, begin

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:
        self._begin()
        sample = self._dataset[index]
        self._decoded.append(sample.name)
        return sample

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dataset, name)


def test_a_cache_that_was_not_finished_is_made_again(new_folder: Path, tmp_path: Path) -> None:
    opened(new_folder, tmp_path)
    (made,) = tmp_path.glob("folder-*")
    (made / "index.json").unlink()
    dataset, packed = opened(new_folder, tmp_path)
    assert np.array_equal(packed[1].image, dataset[1].image)


def test_a_folder_that_cannot_be_written_is_said(new_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot be written .*choose another folder with --data.cache"):
        opened(new_folder, tmp_path / "file" / "cache")
