"""Where a student and its teacher are right, both or one of them, pixel by pixel (no torch)."""

import numpy as np
from numpy.typing import NDArray

from train.data.palette import IGNORE_INDEX, Colour

OUTCOMES = ["both right", "only the teacher right", "only the student right", "both wrong"]
BOTH_RIGHT, TEACHER_RIGHT, STUDENT_RIGHT, BOTH_WRONG = range(4)
PALETTE: list[Colour] = [(225, 225, 225), (213, 94, 0), (0, 114, 178), (60, 60, 60)]
"""Grey where the two are equally good; vermilion is what the student has still to learn."""


def outcomes(label: NDArray[np.uint8], student: NDArray[np.uint8], teacher: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The number in `OUTCOMES` of each pixel ``(H, W)``, 255 = ignore, of class ids ``(H, W)`` each."""
    found = np.full(label.shape, BOTH_WRONG, np.uint8)
    found[teacher == label] = TEACHER_RIGHT
    found[student == label] = STUDENT_RIGHT
    found[(student == label) & (teacher == label)] = BOTH_RIGHT
    found[label == IGNORE_INDEX] = IGNORE_INDEX
    return found


def count(found: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Pixels of each of the `OUTCOMES` in what `outcomes` gives."""
    return np.bincount(found.ravel(), minlength=256)[: len(OUTCOMES)]
