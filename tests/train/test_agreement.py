import numpy as np

from train.agreement import count, outcomes
from train.data.palette import IGNORE_INDEX


def test_each_pixel_has_the_outcome_of_its_own() -> None:
    label = np.array([[0, 0, 0, 0, 0, IGNORE_INDEX]], np.uint8)
    student = np.array([[0, 1, 0, 1, 1, 0]], np.uint8)
    teacher = np.array([[0, 0, 1, 1, 2, 0]], np.uint8)
    found = outcomes(label, student, teacher)
    assert found.tolist() == [[0, 1, 2, 3, 3, IGNORE_INDEX]]
    assert count(found).tolist() == [1, 1, 1, 2]
