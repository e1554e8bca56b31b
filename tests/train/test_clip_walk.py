from pathlib import Path

import numpy as np
import pytest

from tests.train.data.moving_clips import write_clips
from train.clip_walk import ClipWalk, TemporalEvaluation
from train.data.dataset import FramePlace
from train.data.open import open_dataset
from train.data.spec import DatasetSpec, NeighbourSpec, StreetsSpec
from train.data.street_frames import StreetFrames
from train.errors import UserError
from train.evaluation import Prediction

STREETS = DatasetSpec(streets=StreetsSpec(val_clips=2, frames=4, size=(48, 64)))


def test_every_frame_is_walked_once_in_the_order_of_time(tmp_path: Path) -> None:
    root = write_clips(tmp_path / "clips")
    (root / "train" / "masks" / "folder").rename(tmp_path / "masks")
    walk = ClipWalk(open_dataset(DatasetSpec(layout="clips", root=root), "train"), 2)
    assert walk.places == [FramePlace(clip, frame) for clip in (0, 1) for frame in range(6)]
    assert len(walk.starts) == 8  # the last two of each clip have no later frame
    assert [walk[number].name for number in (0, 5, 6)] == ["film_000000", "film_000005", "folder_0"]


def test_frames_between_samples_are_walked_but_are_no_samples() -> None:
    walk = ClipWalk(StreetFrames(STREETS, "val"), 1)
    assert [place.frame for place in walk.places if place.clip == 0] == [0, 1, 16, 17, 32, 33, 48, 49]
    assert [place.frame for place in walk.places if place.clip == 1 and walk.is_sample(place)] == [0, 16, 32, 48]


def test_all_is_scored_over_time_and_samples_alone_are_passed_on() -> None:
    dataset = StreetFrames(STREETS, "val")
    walk = ClipWalk(dataset, 1)
    over_time = TemporalEvaluation(walk, NeighbourSpec(), len(dataset.classes))
    samples = [walk[number] for number in range(len(walk))]
    passed = [seen.sample.name for seen in over_time.through(Prediction(sample, sample.label) for sample in samples)]
    assert passed == [dataset[index].name for index in range(len(dataset))]
    assert over_time.consistency.scores(dataset.classes).pairs == 8


@pytest.mark.parametrize("gap", [1, 3, 16])
def test_labels_as_predictions_are_consistent_on_streets(gap: int) -> None:
    dataset = StreetFrames(STREETS, "val")
    walk = ClipWalk(dataset, gap)
    over_time = TemporalEvaluation(walk, NeighbourSpec(), len(dataset.classes))
    for number, place in enumerate(walk.places):
        sample = walk[number]
        over_time.add(place, Prediction(sample, sample.label))
    result = over_time.consistency.scores(dataset.classes)
    assert result.pairs == {1: 8, 3: 8, 16: 6}[gap]
    assert result.tc > (0.9 if gap < 16 else 0.8)
    assert result.flips_per_s is None or result.flips_per_s < 0.2


def test_predictions_that_flip_are_found() -> None:
    dataset = StreetFrames(STREETS, "val")
    walk = ClipWalk(dataset, 1)
    over_time = TemporalEvaluation(walk, NeighbourSpec(provider="identity"), len(dataset.classes))
    for number, place in enumerate(walk.places):
        sample = walk[number]
        over_time.add(place, Prediction(sample, np.full_like(sample.label, place.frame % 2)))
    result = over_time.consistency.scores(dataset.classes)
    assert result.tc == 0
    assert result.flips_per_s == 16  # at every frame, of which there are 16 a second


def test_what_cannot_be_walked_is_said(folder_root: Path) -> None:
    still = open_dataset(DatasetSpec(layout="folder", root=folder_root), "val")
    with pytest.raises(UserError, match="folder/val has no clips, only still images"):
        ClipWalk(still, 1)
    with pytest.raises(UserError, match=r"data\.neighbour\.gap: 64: no sample of streets/val has a frame so many"):
        ClipWalk(StreetFrames(STREETS, "val"), 64)
