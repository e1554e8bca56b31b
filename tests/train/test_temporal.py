"""Temporal consistency and label flips against their definitions, on streets with exact flow and on CamVid."""

from pathlib import Path

import numpy as np
import pytest

from train.data.dataset import Dataset
from train.data.flow import Flow
from train.data.flow.field import no_flow, warp_ids
from train.data.flow.pair import FramePair
from train.data.flow.provider import open_provider
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.spec import DatasetSpec, NeighbourSpec
from train.data.streets import CLASSES, Clip
from train.temporal import STILL_PX, TemporalConsistency, TemporalScores

CAMVID = Path(__file__).parents[3] / "shared" / "data" / "camvid"
NAMES = ["a", "b", "c"]


def score(now: np.ndarray, then: np.ndarray, flow: Flow, seconds: float | None = 0.5) -> TemporalScores:
    consistency = TemporalConsistency(len(NAMES))
    consistency.add(now, then, flow, seconds)
    return consistency.scores(NAMES)


def ids(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 3, (8, 10), np.uint8)


def test_a_prediction_that_moves_with_the_picture_is_consistent() -> None:
    now = ids(0)
    then = np.roll(now, (1, 2), axis=(0, 1))
    displacement = np.broadcast_to(np.float32((2, 1)), (8, 10, 2)).copy()
    visible = np.zeros((8, 10), bool)
    visible[:-1, :-2] = True
    result = score(now, then, Flow(displacement, visible))
    assert result.tc == 1
    assert result.visible == 7 * 8 / 80
    assert result.pairs == 1
    assert (result.flips_per_s, result.static) == (None, 0)  # everything moves
    assert score(now, then, no_flow((8, 10))).tc < 0.5


def test_tc_is_the_miou_of_the_visible_pixels() -> None:
    now, then = ids(0), ids(1)
    visible = np.random.default_rng(2).random((8, 10)) < 0.7
    result = score(now, then, Flow(np.zeros((8, 10, 2), np.float32), visible))
    ious = []
    for index in range(3):
        both = ((now == index) & (then == index))[visible].sum()
        ious.append(both / ((now == index) | (then == index))[visible].sum())
    assert result.tc == pytest.approx(np.mean(ious))
    assert list(result.class_tc.values()) == pytest.approx(ious)


def test_hidden_pixels_do_not_count() -> None:
    now, then = ids(0), ids(0)
    visible = np.ones((8, 10), bool)
    visible[:3] = False
    then[:3] = (then[:3] + 1) % 3
    result = score(now, then, Flow(np.zeros((8, 10, 2), np.float32), visible))
    assert (result.tc, result.flips_per_s) == (1, 0)


def test_flips_are_counted_where_nothing_moves() -> None:
    now, then = np.zeros((8, 10), np.uint8), np.zeros((8, 10), np.uint8)
    displacement = np.zeros((8, 10, 2), np.float32)
    displacement[:4, :, 0] = STILL_PX  # moves just enough not to be static
    then[:4] = 1
    then[4, :5] = 2
    consistency = TemporalConsistency(3)
    consistency.add(now, then, Flow(displacement, np.ones((8, 10), bool)), 0.5)
    consistency.add(now, now, Flow(displacement, np.ones((8, 10), bool)), 0.25)
    result = consistency.scores(NAMES)
    assert result.static == 0.5
    assert result.flips_per_s == pytest.approx(5 / (40 * 0.5 + 40 * 0.25))
    assert result.pairs == 2


def test_without_a_frame_rate_there_are_no_flips_per_second() -> None:
    result = score(ids(0), ids(1), no_flow((8, 10)), seconds=None)
    assert result.flips_per_s is None
    assert result.static == 1


def test_ignored_pixels_of_either_side_do_not_count() -> None:
    now, then = ids(0), ids(0)
    now[:2], then[2:4] = IGNORE_INDEX, IGNORE_INDEX
    result = score(now, then, no_flow((8, 10)))
    assert (result.tc, result.visible, result.static, result.flips_per_s) == (1, 0.5, 0.5, 0)


def test_no_pair_scores_nothing() -> None:
    result = TemporalConsistency(3).scores(NAMES)
    assert (result.tc, result.pairs, result.flips_per_s, result.visible) == (0, 0, None, 0)


def test_exact_flow_makes_exact_labels_consistent() -> None:
    """The labels of a street follow its flow; unmoved they do not."""
    with_flow, without = TemporalConsistency(len(CLASSES)), TemporalConsistency(len(CLASSES))
    for seed in (1, 2, 5):
        clip = Clip(seed, (96, 128))
        now, then, flow = clip.frame(10).label, clip.frame(13).label, clip.flow(10, 3)
        with_flow.add(now, then, flow, None)
        without.add(now, then, Flow(np.zeros_like(flow.displacement), flow.visible), None)
    names = list(CLASSES)
    assert with_flow.scores(names).tc > 0.97
    assert without.scores(names).tc < with_flow.scores(names).tc - 0.1


@pytest.fixture(scope="module")
def camvid() -> Dataset:
    if not CAMVID.is_dir():
        pytest.skip("CamVid is not in ../shared/data/camvid")
    return open_dataset(DatasetSpec(layout="camvid", root=CAMVID), "val")


def test_camvids_val_split_is_one_clip(camvid: Dataset) -> None:
    assert camvid.clips is not None
    assert {camvid.clips.place(index).clip for index in range(101)} == {0}
    assert camvid.clips.length(0) == 101
    assert camvid.clips.frames_per_s(0) == 15
    assert open_dataset(DatasetSpec(layout="camvid", root=CAMVID), "train").clips is None  # a frame a second


def test_camvids_labels_agree_after_warping_as_its_description_says(camvid: Dataset) -> None:
    """0.976 warped, 0.966 unwarped; its first 20 pairs of neighbours show both figures."""
    assert camvid.clips is not None
    flow_between = open_provider(NeighbourSpec(), camvid.clips)
    warped, unwarped = [], []
    for index in range(20):
        now, then = camvid[index], camvid[index + 1]
        flow = flow_between(FramePair(now.image, then.image, now.name, camvid.clips.place(index), 1))
        back = warp_ids(then.label, flow.displacement)
        known = flow.visible & (now.label != IGNORE_INDEX) & (back != IGNORE_INDEX)
        warped.append((now.label == back)[known].mean())
        known = (now.label != IGNORE_INDEX) & (then.label != IGNORE_INDEX)
        unwarped.append((now.label == then.label)[known].mean())
    assert np.mean(warped) == pytest.approx(0.976, abs=0.003)
    assert np.mean(unwarped) == pytest.approx(0.966, abs=0.003)
