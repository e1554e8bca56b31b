import numpy as np
import pytest

from train.data.palette import IGNORE_INDEX
from train.metrics import ConfusionMatrix, scores

CLASSES = ["a", "b", "c", "d", "e"]


def naive(labels: np.ndarray, predictions: np.ndarray) -> dict[str, object]:
    """Pixel by pixel, straight from the definitions."""
    iou: dict[str, float | None] = {}
    accuracies = []
    hits = total = 0
    for index, name in enumerate(CLASSES):
        true_positive = union = labelled = 0
        for label, prediction in zip(labels.ravel(), predictions.ravel(), strict=True):
            if label == IGNORE_INDEX:
                continue
            true_positive += label == index and prediction == index
            union += label == index or prediction == index
            labelled += label == index
        iou[name] = true_positive / union if union else None
        if labelled:
            accuracies.append(true_positive / labelled)
        hits, total = hits + true_positive, total + labelled
    known = [value for value in iou.values() if value is not None]
    return {
        "miou": sum(known) / len(known),
        "macc": sum(accuracies) / len(accuracies),
        "pixel_accuracy": hits / total,
        "class_iou": iou,
    }


def test_scores_are_those_of_a_pixel_by_pixel_loop() -> None:
    random = np.random.default_rng(0)
    labels = random.choice(np.array([0, 1, 2, IGNORE_INDEX], np.uint8), (3, 9, 11))
    predictions = random.choice(np.array([0, 1, 3], np.uint8), labels.shape)
    matrix = ConfusionMatrix(len(CLASSES))
    for label, prediction in zip(labels, predictions, strict=True):
        matrix.add(label, prediction)
    result, expected = scores(matrix, CLASSES), naive(labels, predictions)
    assert result.miou == pytest.approx(expected["miou"])
    assert result.macc == pytest.approx(expected["macc"])
    assert result.pixel_accuracy == pytest.approx(expected["pixel_accuracy"])
    assert result.class_iou == pytest.approx(expected["class_iou"])
    assert result.class_iou["c"] == 0.0  # labelled, never predicted
    assert result.class_iou["d"] == 0.0  # predicted, never labelled
    assert result.class_iou["e"] is None  # neither: counts nowhere


def test_ignored_pixels_do_not_count() -> None:
    matrix = ConfusionMatrix(2)
    matrix.add(np.array([[0, IGNORE_INDEX]], np.uint8), np.array([[0, 1]], np.uint8))
    result = scores(matrix, ["a", "b"])
    assert (result.miou, result.macc, result.pixel_accuracy) == (1.0, 1.0, 1.0)
    assert result.class_iou == {"a": 1.0, "b": None}


def test_nothing_labelled_scores_zero() -> None:
    result = scores(ConfusionMatrix(2), ["a", "b"])
    assert (result.miou, result.macc, result.pixel_accuracy) == (0.0, 0.0, 0.0)
