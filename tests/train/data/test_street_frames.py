"""`streets` as a dataset of clips."""

from functools import partial

import numpy as np
import pytest

from train.data import street_frames
from train.data.dataset import FramePlace
from train.data.spec import DatasetSpec, StreetsSpec
from train.data.street_frames import StreetFrames
from train.data.streets import Clip

SPEC = DatasetSpec(streets=StreetsSpec(clips=2, frames=4, size=(48, 64)))
open_streets = partial(StreetFrames, SPEC, "train")


def test_samples_and_the_frames_between_them_are_those_of_the_clip() -> None:
    dataset, clip = open_streets(), Clip(1, (48, 64))
    assert len(dataset) == 8
    for index, time in ((4, 0), (5, 16), (7, 48)):
        assert dataset.place(index) == FramePlace(1, time)
        assert np.array_equal(dataset[index].image, clip.frame(time).image)
        assert dataset[index].name == dataset.name_of(FramePlace(1, time)) == f"clip001_frame{time:03d}"
    between = dataset.read(FramePlace(1, 35))
    assert np.array_equal(between.image, clip.frame(35).image)
    assert np.array_equal(between.label, clip.frame(35).label)


def test_flow_is_the_clips_own_up_to_its_ends() -> None:
    dataset, clip = open_streets(), Clip(0, (48, 64))
    for time, gap in ((16, 3), (16, -3), (60, 3), (3, -3)):
        exact = clip.flow(time, gap)
        flow = dataset.flow(FramePlace(0, time), gap)
        assert np.array_equal(flow.displacement, exact.displacement)
        assert np.array_equal(flow.visible, exact.visible)


def test_little_memory_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    plenty, little = open_streets(), open_streets()
    indices, flows = (0, 5, 1, 0, 7), ((FramePlace(1, 17), 2), (FramePlace(0, 60), -1))
    images = [plenty[index].image for index in indices]
    displacements = [plenty.flow(*flow).displacement for flow in flows]
    monkeypatch.setattr(street_frames, "_KEPT_BYTES", 1)
    assert np.array_equal(images, [little[index].image for index in indices])
    assert np.array_equal(displacements, [little.flow(*flow).displacement for flow in flows])
    assert len(little._kept) == 1 < len(plenty._kept)


def test_splits_show_different_streets() -> None:
    train, val = open_streets(), StreetFrames(SPEC, "val")
    assert not np.array_equal(train[0].image, val[0].image)
