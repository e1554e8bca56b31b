"""Batches with a second frame: the same for any number of workers, from any point, with a cache and without."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.train.data.moving_clips import moving_frames, write_frames
from train.data.batches import Batch, training_batches
from train.data.open import open_dataset
from train.data.spec import DataConfig, NeighbourSpec, StreetsSpec
from train.data.transforms import TrainTransform
from train.errors import UserError

CONFIG = DataConfig(size=(64, 96), crop=(48, 64), streets=StreetsSpec(clips=2, frames=2, size=(64, 96)))


def batches(
    layout: str,
    root: Path | None,
    neighbour: NeighbourSpec | None,
    *,
    start: int = 0,
    stop: int = 4,
    workers: int = 0,
) -> list[Batch]:
    dataset = open_dataset(CONFIG.model_copy(update={"layout": layout, "root": root}), "train")
    return list(training_batches(dataset, TrainTransform(CONFIG), 2, 0, start, stop, workers, neighbour))


def same(left: list[Batch], right: list[Batch]) -> bool:
    fields = [field for one, two in zip(left, right, strict=True) for field in zip(one, two, strict=True)]
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in fields)


@pytest.fixture(params=["clips", "streets", "camvid"])
def source(request: pytest.FixtureRequest, clips_root: Path, camvid_root: Path) -> tuple[str, Path | None]:
    """Estimated flow between real frames, exact flow between rendered ones, and still images that are moved."""
    return request.param, {"clips": clips_root, "camvid": camvid_root, "streets": None}[request.param]


def test_a_batch_holds_what_it_says(source: tuple[str, Path | None]) -> None:
    for batch in batches(*source, NeighbourSpec()):
        assert batch.neighbour is not None
        assert batch.flow is not None
        assert batch.visible is not None
        assert (batch.neighbour.dtype, batch.neighbour.shape) == (torch.uint8, (2, 3, 48, 64))
        assert (batch.flow.dtype, batch.flow.shape) == (torch.float32, (2, 2, 48, 64))
        assert (batch.visible.dtype, batch.visible.shape) == (torch.bool, (2, 48, 64))
        assert not torch.equal(batch.neighbour, batch.image)
        assert batch.visible.any()
        assert batch.flow.isfinite().all()


def test_any_number_of_workers_and_any_resumption_give_the_same(source: tuple[str, Path | None]) -> None:
    alone = batches(*source, NeighbourSpec())
    assert same(alone, batches(*source, NeighbourSpec(), workers=2))
    assert same(alone[2:], batches(*source, NeighbourSpec(), start=2))


def test_images_and_labels_are_those_of_a_run_without_neighbours(source: tuple[str, Path | None]) -> None:
    for one, two in zip(batches(*source, None), batches(*source, NeighbourSpec()), strict=True):
        assert torch.equal(one.image, two.image)
        assert torch.equal(one.label, two.label)  # type: ignore[arg-type]
        assert one.neighbour is one.flow is one.visible is None


def test_a_cache_changes_nothing_but_the_time(clips_root: Path, tmp_path: Path) -> None:
    plain = batches("clips", clips_root, NeighbourSpec())
    cached = NeighbourSpec(cache=tmp_path / "cache")
    for workers in (2, 0):  # the first fills it, both workers at once; the second reads
        assert same(plain, batches("clips", clips_root, cached, workers=workers))
    # Two samples with two neighbours each, of which those that were drawn are there, and whole.
    assert 2 <= len(list((tmp_path / "cache").rglob("*.npz"))) <= 4
    assert not list((tmp_path / "cache").rglob("*.tmp"))


def test_without_labels_there_is_no_label(tmp_path: Path) -> None:
    write_frames(tmp_path / "train" / "clips" / "film", moving_frames(4))
    (tmp_path / "classes.txt").write_text("a\nb\n")
    for batch in batches("clips", tmp_path, NeighbourSpec()):
        assert batch.label is None
        assert batch.flow is not None


def test_frames_without_a_label_are_ignored_beside_labelled_ones(clips_root: Path) -> None:
    config = CONFIG.model_validate({"layout": "clips", "root": clips_root, "clips": {"unlabelled": True}})
    stream = training_batches(open_dataset(config, "train"), TrainTransform(CONFIG), 12, 0, 0, 1, 0)
    batch = next(stream)
    assert batch.label is not None
    assert batch.valid is not None
    assert sum(bool((label != 255).any()) for label in batch.label) == 2  # of 12 frames, as many as have masks
    assert all(valid.any() for valid in batch.valid)  # losses that need no label learn from all of them


@pytest.mark.parametrize("workers", [0, 1])
def test_a_sample_whose_neighbour_is_broken_is_replaced(new_clips: Path, workers: int) -> None:
    broken = new_clips / "train" / "clips" / "folder" / "2.png"  # neighbour of sample 1 alone
    broken.write_bytes(broken.read_bytes()[:500])
    forward = NeighbourSpec(direction="forward")
    seen = batches("clips", new_clips, forward, workers=workers)
    assert [len(batch.broken) for batch in seen] == [1, 1, 1, 1]  # an epoch is one batch
    for batch in seen:
        assert batch.broken[0].startswith(f"{broken}: the PNG image is truncated or damaged")
    assert same(seen[2:], batches("clips", new_clips, forward, start=2, workers=workers))
    assert all(batch.broken == () for batch in batches("clips", new_clips, None, workers=workers))


def test_frames_of_another_size_are_broken(new_clips: Path) -> None:
    Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(new_clips / "train" / "clips" / "folder" / "2.png")
    [batch] = batches("clips", new_clips, NeighbourSpec(direction="forward"), stop=1)
    assert "folder_1: the frame is (64, 96), the one +1 from it (32, 32)" in batch.broken[0]


def test_what_cannot_be_had_is_said_by_the_call_itself(clips_root: Path) -> None:
    dataset = open_dataset(CONFIG.model_copy(update={"layout": "clips", "root": clips_root}), "train")
    with pytest.raises(UserError, match=r"data\.neighbour\.gap: 7"):
        training_batches(dataset, TrainTransform(CONFIG), 2, 0, 0, 4, 0, NeighbourSpec(gap=7))
