from pathlib import Path

import pytest
import torch

from tests.train.data.moving_clips import moving_frames, write_frames
from train.data.batches import WHOLE, Batch, Share, training_batches
from train.data.mixture import Mixture, Pool, Stream
from train.data.open import open_dataset
from train.data.spec import DataConfig, NeighbourSpec
from train.data.transforms import TrainTransform
from train.data.unlabelled import open_unlabelled

pytestmark = pytest.mark.usefixtures("own_cache_folder")


@pytest.fixture
def mixture(camvid_root: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    """Batches of four images, of which one in two, or another share, has no label."""
    write_frames(tmp_path / "drive", moving_frames(5))
    config = DataConfig(layout="camvid", root=camvid_root, size=(64, 96))
    labelled = open_dataset(config, "train")
    pool = open_unlabelled(DataConfig(unlabelled=[tmp_path], classes=labelled.classes), "all")

    def batches(  # type: ignore[no-untyped-def]
        start: int = 0, stop: int = 3, workers: int = 0, neighbour=None, share=WHOLE, of_pool: float = 0.5
    ) -> list[Batch]:
        transform = TrainTransform(config)
        joined = Pool(pool, of_pool)
        return list(training_batches(labelled, transform, 4, 0, start, stop, workers, neighbour, share, joined))

    return batches


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(("share", "expected"), [(0.5, [2, 2, 2, 2]), (0.25, [1, 1, 1, 1]), (1 / 3, [1, 1, 2, 1])])
def test_each_batch_has_its_share_of_images_without_labels(mixture, share: float, expected: list[int]) -> None:  # type: ignore[no-untyped-def]
    found = mixture(stop=4, of_pool=share)
    assert [int((~batch.labelled).sum()) for batch in found] == expected
    for batch in found:
        assert (batch.label[~batch.labelled] == 255).all()
        assert (batch.label[batch.labelled] != 255).flatten(1).any(1).all()
        assert batch.valid.flatten(1).any(1).all()


def test_batches_are_the_same_for_any_workers_resumption_and_processes(mixture) -> None:  # type: ignore[no-untyped-def]
    whole = mixture()
    assert all(same(*pair) for pair in zip(mixture(workers=2), whole, strict=True))
    assert same(mixture(start=2)[0], whole[2])
    halves = [mixture(share=Share(number, 2)) for number in range(2)]
    for first, second, batch in zip(*halves, whole, strict=True):
        assert torch.equal(torch.cat([first.image, second.image]), batch.image)
        assert int((~first.labelled).sum()) == int((~second.labelled).sum()) == 1


def test_every_image_of_both_comes_once_an_epoch(camvid_root: Path, tmp_path: Path) -> None:
    write_frames(tmp_path / "drive", moving_frames(5))
    labelled = open_dataset(DataConfig(layout="camvid", root=camvid_root), "train")
    pool = open_unlabelled(DataConfig(unlabelled=[tmp_path], classes=["a"]), "all")
    mixture = Mixture(Stream(labelled, None, 0, 0), Stream(pool, None, 0, 1), 0.5)
    places = [mixture.at(position) for position in range(60)]
    for dataset in (labelled, pool):
        drawn = [place.stream.candidates(place.position)[0] for place in places if place.stream.dataset is dataset]
        for epoch in range(len(drawn) // len(dataset)):
            assert sorted(drawn[epoch * len(dataset) : (epoch + 1) * len(dataset)]) == list(range(len(dataset)))


def test_both_are_given_second_frames(mixture) -> None:  # type: ignore[no-untyped-def]
    batch = mixture(stop=1, neighbour=NeighbourSpec())[0]
    assert batch.neighbour.shape == batch.image.shape
    assert batch.visible.flatten(1).any(1).all()
