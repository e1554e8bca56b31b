"""One look at a whole split through a network and its teacher: what the report shows."""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from train.agreement import OUTCOMES, STUDENT_RIGHT, TEACHER_RIGHT, count, outcomes
from train.calibration import Reliability
from train.data.dataset import Dataset, Sample
from train.data.resize import Size
from train.evaluation import Prediction, predictions
from train.metrics import ConfusionMatrix, scores
from train.models.network import SegmentationNetwork
from train.progress import progress

PICTURES = 6
"""Samples that are shown, evenly spaced through the split."""
WORST = 4
"""Samples of the lowest mIoU that are shown, and as many where student and teacher differ most."""
_IMAGES_AT_ONCE = 8


class Case(NamedTuple):
    """One sample, and what was seen in it: class ids ``(H, W)``."""

    sample: Sample
    ids: NDArray[np.uint8]
    taught: NDArray[np.uint8] | None
    """Those of the teacher; None: there is none."""
    miou: float | None
    """Of this image alone, over the classes that occur in it; None: it has no labelled pixel."""
    outcomes: NDArray[np.uint8] | None
    """By pixel, see `train.agreement`; None: there is no teacher."""

    @property
    def disagreement(self) -> float:
        """Share of the labelled pixels on which one of student and teacher is right, the other wrong."""
        if self.outcomes is None:
            return 0.0
        pixels = count(self.outcomes)
        return float(pixels[[TEACHER_RIGHT, STUDENT_RIGHT]].sum() / max(1, pixels.sum()))


class Score(NamedTuple):
    """What is counted of one network."""

    matrix: ConfusionMatrix
    reliability: Reliability

    def add(self, prediction: Prediction) -> None:
        """Count one image."""
        assert prediction.confidence is not None  # asked for below
        self.matrix.add(prediction.sample.label, prediction.ids)
        self.reliability.add(prediction.sample.label, prediction.ids, prediction.confidence)


@dataclass
class Inspection:
    """A network on a split, and what of it is shown."""

    score: Score
    teacher: Score | None
    """None: there is no teacher."""
    outcomes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(OUTCOMES), np.int64))
    """Pixels of each of `train.agreement.OUTCOMES`."""
    shown: list[Case] = field(default_factory=list)
    """Evenly spaced through the split."""
    worst: list[Case] = field(default_factory=list)
    """Of the lowest mIoU, the lowest first."""
    disputed: list[Case] = field(default_factory=list)
    """Where student and teacher differ most in being right, the most first."""


def inspect(
    network: SegmentationNetwork, val_set: Dataset, size: Size, teacher: SegmentationNetwork | None = None
) -> Inspection:
    """Look at all of ``val_set`` at the network's input ``size``, height and width in pixels; shows how far it is."""
    classes = val_set.classes
    seen = Inspection(_nothing(classes), _nothing(classes) if teacher else None)
    chosen = _evenly(len(val_set))
    pairs = _predictions(network, teacher, val_set, size)
    for index, (student, taught) in enumerate(progress(pairs, f"look at {val_set.name}", len(val_set))):
        case = _case(student, taught, classes)
        seen.score.add(student)
        if seen.teacher and taught and case.outcomes is not None:
            seen.teacher.add(taught)
            seen.outcomes += count(case.outcomes)
            _keep(seen.disputed, case, lambda other: -other.disagreement)
        if index in chosen:
            seen.shown.append(case)
        if case.miou is not None:
            _keep(seen.worst, case, lambda other: other.miou or 0.0)
    return seen


def _nothing(classes: list[str]) -> Score:
    return Score(ConfusionMatrix(len(classes)), Reliability())


def _evenly(samples: int) -> set[int]:
    shown = min(PICTURES, samples)
    return {(2 * number + 1) * samples // (2 * shown) for number in range(shown)}


def _predictions(
    network: SegmentationNetwork, teacher: SegmentationNetwork | None, val_set: Dataset, size: Size
) -> Iterator[tuple[Prediction, Prediction | None]]:
    """Each sample is read once."""
    for start in range(0, len(val_set), _IMAGES_AT_ONCE):
        samples = [val_set[index] for index in range(start, min(start + _IMAGES_AT_ONCE, len(val_set)))]
        student = predictions(network, samples, size, confident=True)
        taught = predictions(teacher, samples, size, confident=True) if teacher else [None] * len(samples)
        yield from zip(student, taught, strict=True)


def _case(student: Prediction, taught: Prediction | None, classes: list[str]) -> Case:
    sample = student.sample
    matrix = ConfusionMatrix(len(classes))
    matrix.add(sample.label, student.ids)
    miou = scores(matrix, classes).miou if matrix.counts.any() else None
    compared = None if taught is None else outcomes(sample.label, student.ids, taught.ids)
    return Case(sample, student.ids, None if taught is None else taught.ids, miou, compared)


def _keep(cases: list[Case], case: Case, rank: Callable[[Case], float]) -> None:
    """The first few of all that came, in the order of their ranks; of equals those that came first."""
    cases[:] = heapq.nsmallest(WORST, [*cases, case], key=rank)
