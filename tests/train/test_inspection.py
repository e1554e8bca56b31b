from pathlib import Path

import numpy as np
import pytest

from train.agreement import BOTH_RIGHT, STUDENT_RIGHT, TEACHER_RIGHT
from train.checkpoint import load_run
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.spec import DatasetSpec
from train.evaluation import evaluate, predictions
from train.inspection import Inspection, inspect
from train.metrics import ConfusionMatrix, scores
from train.models.network import SegmentationNetwork

SIZE = (64, 96)


@pytest.fixture(scope="module")
def student(student_run: Path) -> SegmentationNetwork:
    return load_run(student_run).network


@pytest.fixture(scope="module")
def teacher(teacher_run: Path) -> SegmentationNetwork:
    return load_run(teacher_run).network


@pytest.fixture(scope="module")
def val_set(camvid_root: Path) -> Dataset:
    return open_dataset(DatasetSpec(layout="camvid", root=camvid_root), "val")


@pytest.fixture(scope="module")
def seen(student: SegmentationNetwork, teacher: SegmentationNetwork, val_set: Dataset) -> Inspection:
    return inspect(student, val_set, SIZE, teacher)


def test_counts_are_those_of_an_evaluation_of_each(
    seen: Inspection, student: SegmentationNetwork, teacher: SegmentationNetwork, val_set: Dataset
) -> None:
    ours = evaluate(student, val_set, SIZE).counts
    theirs = evaluate(teacher, val_set, SIZE).counts
    assert seen.teacher is not None
    assert np.array_equal(seen.score.matrix.counts, ours)
    assert np.array_equal(seen.teacher.matrix.counts, theirs)
    assert seen.score.reliability.pixels.sum() == ours.sum()
    assert seen.outcomes.sum() == ours.sum()
    assert seen.outcomes[[BOTH_RIGHT, STUDENT_RIGHT]].sum() == np.trace(ours)
    assert seen.outcomes[[BOTH_RIGHT, TEACHER_RIGHT]].sum() == np.trace(theirs)


def test_worst_images_are_those_of_the_lowest_miou(
    seen: Inspection, student: SegmentationNetwork, val_set: Dataset
) -> None:
    alone = {}
    for prediction in predictions(student, val_set, SIZE):
        matrix = ConfusionMatrix(len(val_set.classes))
        matrix.add(prediction.sample.label, prediction.ids)
        alone[prediction.sample.name] = scores(matrix, val_set.classes).miou
    expected = sorted(alone, key=lambda name: alone[name])[:4]
    assert [case.sample.name for case in seen.worst] == expected
    assert [case.miou for case in seen.worst] == [alone[name] for name in expected]
    disputes = [case.disagreement for case in seen.disputed]
    assert disputes == sorted(disputes, reverse=True)
    assert max(case.disagreement for case in seen.shown) == disputes[0] > 0


def test_without_a_teacher_there_is_nothing_of_one(student: SegmentationNetwork, val_set: Dataset) -> None:
    alone = inspect(student, val_set, SIZE)
    assert (alone.teacher, alone.outcomes.sum(), alone.disputed) == (None, 0, [])
    assert [case.taught for case in alone.shown] == [None] * 6
