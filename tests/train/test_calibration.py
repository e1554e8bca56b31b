import math

import numpy as np
import pytest

from train.calibration import Reliability
from train.data.palette import IGNORE_INDEX


def naive(labels: np.ndarray, predictions: np.ndarray, confidences: np.ndarray, bins: int) -> float:
    """Pixel by pixel, straight from the definition."""
    filled: dict[int, list[tuple[bool, float]]] = {}
    for label, prediction, confidence in zip(labels.flat, predictions.flat, confidences.flat, strict=True):
        if label != IGNORE_INDEX:
            number = max(1, math.ceil(confidence * bins))
            filled.setdefault(number, []).append((label == prediction, float(confidence)))
    pixels = sum(len(members) for members in filled.values())
    error = 0.0
    for members in filled.values():
        accuracy = sum(right for right, _ in members) / len(members)
        confidence = sum(sure for _, sure in members) / len(members)
        error += len(members) / pixels * abs(accuracy - confidence)
    return error


@pytest.mark.parametrize("bins", [1, 10, 15])
def test_error_is_that_of_the_definition_over_all_images(bins: int) -> None:
    random = np.random.default_rng(bins)
    labels = random.choice(np.array([0, 1, 2, IGNORE_INDEX], np.uint8), (3, 12, 16))
    predictions = random.integers(0, 3, labels.shape, np.uint8)
    confidences = random.random(labels.shape, np.float32)
    confidences[0, 0, :4] = 0, 1, 1 / 3, 0.2
    reliability = Reliability(bins)
    for image in zip(labels, predictions, confidences, strict=True):
        reliability.add(*image)
    assert reliability.error == pytest.approx(naive(labels, predictions, confidences, bins), abs=1e-6)
    assert reliability.pixels.sum() == (labels != IGNORE_INDEX).sum()


def test_who_is_right_as_often_as_he_thinks_is_calibrated() -> None:
    label = np.array([[0, 0, 0, 1, IGNORE_INDEX]], np.uint8)
    reliability = Reliability(bins=4)
    reliability.add(label, np.zeros((1, 5), np.uint8), np.full((1, 5), 0.75, np.float32))
    assert reliability.error == pytest.approx(0)
    assert reliability.accuracy.tolist()[2] == reliability.confidence.tolist()[2] == 0.75
    assert np.isnan(reliability.accuracy[[0, 1, 3]]).all()


def test_always_sure_and_never_right() -> None:
    reliability = Reliability()
    assert reliability.error is None
    reliability.add(np.zeros((2, 2), np.uint8), np.ones((2, 2), np.uint8), np.ones((2, 2), np.float32))
    assert reliability.error == 1.0
