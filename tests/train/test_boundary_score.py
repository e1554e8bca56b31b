import numpy as np
import pytest

from train.boundary_score import BoundaryScore, BoundaryScores
from train.data.palette import IGNORE_INDEX

CLASSES = ["a", "b", "c"]


def halves(column: int, shape: tuple[int, int] = (30, 40)) -> np.ndarray:
    """Class a left of a column, b from there on."""
    ids = np.zeros(shape, np.uint8)
    ids[:, column:] = 1
    return ids


def score_of(label: np.ndarray, prediction: np.ndarray, tolerance: float = 0.0075) -> BoundaryScores:
    found = BoundaryScore(len(CLASSES), tolerance)
    found.add(label, prediction)
    return found.scores(CLASSES)


def points(ids: np.ndarray, number: int) -> list[tuple[int, int]]:
    """The boundary of a class, pixel by pixel, straight from the definition."""
    height, width = ids.shape
    found = []
    for y, x in zip(*np.nonzero(ids == number), strict=True):
        beside = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
        inside = [ids[place] for place in beside if 0 <= place[0] < height and 0 <= place[1] < width]
        if any(other not in (number, IGNORE_INDEX) for other in inside):
            found.append((int(y), int(x)))
    return found


def naive(label: np.ndarray, prediction: np.ndarray, reach: float) -> list[float | None]:
    prediction = np.where(label == IGNORE_INDEX, IGNORE_INDEX, prediction)

    def share(of: list[tuple[int, int]], to: list[tuple[int, int]]) -> float:
        near = [any(np.hypot(y - v, x - u) < reach for v, u in to) for y, x in of]
        return sum(near) / len(near) if near else 0.0

    scores: list[float | None] = []
    for number in range(len(CLASSES)):
        ours, theirs = points(prediction, number), points(label, number)
        precision, recall = share(ours, theirs), share(theirs, ours)
        f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        scores.append(f if ours or theirs else None)
    return scores


def test_scores_are_those_of_a_pixel_by_pixel_loop() -> None:
    random = np.random.default_rng(0)
    total, expected = BoundaryScore(3, 0.05), []
    for _ in range(3):
        label = random.choice(np.array([0, 1, IGNORE_INDEX], np.uint8), (4, 5)).repeat(5, 0).repeat(5, 1)
        prediction = np.roll(np.where(label == IGNORE_INDEX, 0, label), (1, 2), (0, 1)).astype(np.uint8)
        total.add(label, prediction)
        expected.append(naive(label, prediction, 0.05 * np.hypot(20, 25)))
    found = total.scores(CLASSES)
    for number in (0, 1):
        assert found.class_boundary_f[CLASSES[number]] == pytest.approx(np.mean([one[number] for one in expected]))  # type: ignore[arg-type]
        assert 0 < expected[0][number] < 1  # type: ignore[operator]
    assert found.class_boundary_f["c"] is None
    known = [found.class_boundary_f[name] for name in "ab"]
    assert found.boundary_f == pytest.approx(np.mean(known))  # type: ignore[arg-type]


def test_boundaries_nearer_than_the_tolerance_are_right() -> None:
    """The diagonal is 50 pixels, and 0.05 of it 2.5."""
    assert score_of(halves(20), halves(20), 0.05).boundary_f == 1
    assert score_of(halves(20), halves(22), 0.05).boundary_f == 1
    assert score_of(halves(20), halves(23), 0.05).boundary_f == 0
    assert score_of(halves(20), halves(21)).boundary_f == 0  # 0.375 pixels: only the same place


def test_the_tolerance_grows_with_the_image() -> None:
    large = [halves(column, (300, 400)) for column in (200, 203, 204)]
    assert score_of(large[0], large[1]).boundary_f == 1  # 3.75 pixels
    assert score_of(large[0], large[2]).boundary_f == 0


def test_precision_and_recall_both_count() -> None:
    label, prediction = halves(20), halves(20)
    prediction[10:20, 5:10] = 2  # 26 boundary pixels that the label has not; 30 beside them of the class around
    found = score_of(label, prediction).class_boundary_f
    assert found["b"] == 1
    assert found["a"] == pytest.approx(2 * 0.5 / 1.5)  # all 30 found, and 30 of those found are right
    assert found["c"] == 0


def test_a_class_that_is_missed_scores_zero_in_its_images_alone() -> None:
    total = BoundaryScore(3)
    total.add(halves(20), np.zeros((30, 40), np.uint8))
    total.add(halves(20), halves(20))
    total.add(np.zeros((30, 40), np.uint8), np.zeros((30, 40), np.uint8))  # without a boundary: it counts nowhere
    assert total.scores(CLASSES) == BoundaryScores(0.5, {"a": 0.5, "b": 0.5, "c": None})


def test_ignored_pixels_are_no_boundary_and_make_none() -> None:
    label = halves(20)
    label[:, 10:30] = IGNORE_INDEX  # the whole boundary
    assert score_of(label, halves(15)).boundary_f is None
    label = halves(20)
    label[:10] = IGNORE_INDEX
    wrong_where_ignored = halves(20)
    wrong_where_ignored[:10] = 2
    assert score_of(label, wrong_where_ignored) == BoundaryScores(1.0, {"a": 1.0, "b": 1.0, "c": None})


def test_nothing_added_has_no_score() -> None:
    assert BoundaryScore(2).scores(["a", "b"]) == BoundaryScores(None, {"a": None, "b": None})
