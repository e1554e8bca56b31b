import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

from train.data.batches import Batch, training_batches
from train.data.dataset import Dataset, Sample
from train.data.open import open_dataset
from train.data.spec import AugmentSpec, DataConfig
from train.data.transforms import TrainTransform
from train.errors import UserError

CONFIG = DataConfig(size=(64, 96), crop=(32, 48))


def batches(root: Path, *, seed: int = 0, start: int = 0, stop: int = 6, workers: int = 0) -> list[Batch]:
    dataset = open_dataset(CONFIG.model_copy(update={"layout": "folder", "root": root}), "train")
    return list(training_batches(dataset, TrainTransform(CONFIG), 2, seed, start, stop, workers))


def same(left: list[Batch], right: list[Batch]) -> bool:
    pairs = zip(left, right, strict=True)
    fields = [field for one, two in pairs for field in zip(one, two, strict=True)]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in fields)


def test_any_number_of_workers_gives_the_same_batches(folder_root: Path) -> None:
    alone = batches(folder_root)
    assert [tuple(image.shape) for image, *_ in alone] == [(2, 3, 32, 48)] * 6
    assert same(alone, batches(folder_root, workers=2))


def test_a_resumed_stream_goes_on_where_it_stopped(folder_root: Path) -> None:
    assert same(batches(folder_root)[4:], batches(folder_root, start=4))


def test_another_seed_gives_other_batches(folder_root: Path) -> None:
    assert not same(batches(folder_root), batches(folder_root, seed=1))


def test_variants_are_the_same_crops_for_every_seed_in_another_order(folder_root: Path) -> None:
    config = CONFIG.model_copy(update={"layout": "folder", "root": folder_root, "augment": AugmentSpec(variants=2)})

    def crops(seed: int) -> list[bytes]:
        epochs = training_batches(open_dataset(config, "train"), TrainTransform(config), 2, seed, 0, 12, 0)
        return [image.numpy().tobytes() for batch in epochs for image in batch.image]

    first = crops(0)
    assert len(first) == 24
    assert len(set(first)) == 12
    assert sorted(crops(1)) == sorted(first)
    assert crops(1) != first


def test_every_epoch_shows_every_sample_once_in_another_order(folder_root: Path) -> None:
    config = CONFIG.model_copy(update={"layout": "folder", "root": folder_root})
    recorder = Recorder(open_dataset(config, "train"))
    list(training_batches(recorder, TrainTransform(CONFIG), 2, 0, 0, 6, 0))
    first, second = recorder.names[:6], recorder.names[6:]
    assert sorted(first) == sorted(second) == [str(number) for number in range(6)]
    assert first != second


@pytest.mark.parametrize("workers", [0, 1])
def test_a_broken_sample_is_replaced_and_said(new_folder: Path, workers: int) -> None:
    broken = new_folder / "train" / "masks" / "1.png"
    Image.new("L", (96, 64), 77).save(broken)
    seen = batches(new_folder, workers=workers, stop=2)
    assert [len(batch.broken) for batch in seen] == [1, 1]  # an epoch is one batch: each has met it
    for batch in seen:
        assert batch.broken[0].startswith(f"{broken}: label ids [77] are outside the 3 classes")
        assert "\n" not in batch.broken[0]
        assert batch.image.shape == (2, 3, 32, 48)
    assert same(seen[1:], batches(new_folder, workers=workers, start=1, stop=2))


def test_whole_samples_are_shown_as_if_none_were_broken(folder_root: Path, tmp_path: Path) -> None:
    root = shutil.copytree(folder_root, tmp_path / "folder")
    (root / "train" / "images" / "4.png").write_bytes(b"no image")
    pairs = list(zip(batches(folder_root), batches(root), strict=True))
    assert sum(not torch.equal(whole.image[n], damaged.image[n]) for whole, damaged in pairs for n in (0, 1)) == 2
    assert [len(damaged.broken) for _, damaged in pairs].count(1) == 2  # once an epoch


@pytest.mark.parametrize("workers", [0, 1])
def test_where_all_are_broken_the_error_is_reported_as_it_is_even_from_a_worker(new_folder: Path, workers: int) -> None:
    for number in (0, 1):
        Image.new("L", (96, 64), 77).save(new_folder / "train" / "masks" / f"{number}.png")
    with pytest.raises(UserError, match="label ids \\[77\\] are outside the 3 classes") as caught:
        batches(new_folder, workers=workers)
    assert str(caught.value).startswith(f"{new_folder / 'train' / 'masks'}")
    assert "\n" not in str(caught.value)


class Recorder:
    """A dataset that notes who was asked for."""

    def __init__(self, dataset: Dataset) -> None:
        self.name, self.classes, self.palette = dataset.name, dataset.classes, dataset.palette
        self.labelled, self.clips = dataset.labelled, dataset.clips
        self._dataset = dataset
        self.names: list[str] = []

    def __len__(self) -> int:
        return len(self._dataset)

    def __getitem__(self, index: int) -> Sample:
        sample = self._dataset[index]
        self.names.append(sample.name)
        return sample
