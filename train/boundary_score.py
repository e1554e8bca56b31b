"""How well the boundaries of a segmentation lie where those of the labels are (no torch)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.palette import IGNORE_INDEX

TOLERANCE = 0.0075
"""Of the image's diagonal, as in the paper."""


@dataclass(frozen=True)
class BoundaryScores:
    """F-scores in 0..1. None: there is no boundary to score."""

    boundary_f: float | None
    """Mean over the classes that have one."""
    class_boundary_f: dict[str, float | None]


class BoundaryScore:
    """Adds up the boundary F-score of images: class ids ``(H, W)``, of labels and of predictions.

    Csurka et al., "What is a good evaluation measure for semantic segmentation?", BMVC 2013,
    https://doi.org/10.5244/C.27.32. Of a class in an image, precision is the share of its predicted boundary that is
    nearer than the tolerance to its boundary in the label, recall the share of the latter that is as near to the
    former, and F = 2 P R / (P + R): 0 where only one of the two has a boundary. The score of a class is the mean of F
    over the images where the label or the prediction has a boundary of it; `BoundaryScores.boundary_f` is the mean of
    those.

    A boundary is made of the pixels of a class that have a pixel of another class above, below, left or right. Pixels
    that the label ignores (255) are ignored in both: they are no boundary and make none of their neighbours, and
    neither does the edge of the image.

    Args:
        classes: how many there are.
        tolerance: share of the image's diagonal.
    """

    def __init__(self, classes: int, tolerance: float = TOLERANCE) -> None:
        self._tolerance = tolerance
        self._sums: NDArray[np.float64] = np.zeros(classes)
        self._images: NDArray[np.int64] = np.zeros(classes, np.int64)

    def add(self, label: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
        """Score one image, of any size."""
        classes, reach = len(self._sums), self._tolerance * float(np.hypot(*label.shape))
        theirs = _boundary(label)
        ours = _boundary(np.where(label == IGNORE_INDEX, IGNORE_INDEX, prediction).astype(np.uint8))
        precision, recall = _shares_near(ours, theirs, reach, classes), _shares_near(theirs, ours, reach, classes)
        f_score = np.zeros(classes)
        np.divide(2 * precision * recall, precision + recall, out=f_score, where=precision + recall > 0)
        self._sums += f_score
        self._images += (_counts(ours, classes) + _counts(theirs, classes)) > 0

    def scores(self, classes: list[str]) -> BoundaryScores:
        """The scores of all images together, by the names of the classes."""
        totals = zip(self._sums, self._images, strict=True)
        means = [float(total / images) if images else None for total, images in totals]
        known = [mean for mean in means if mean is not None]
        return BoundaryScores(float(np.mean(known)) if known else None, dict(zip(classes, means, strict=True)))


def _boundary(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The class of each pixel that has another one beside it, neither of them ignored; elsewhere `IGNORE_INDEX`."""
    known = ids != IGNORE_INDEX
    found = np.zeros(ids.shape, np.bool_)
    down = (ids[1:] != ids[:-1]) & known[1:] & known[:-1]
    right = (ids[:, 1:] != ids[:, :-1]) & known[:, 1:] & known[:, :-1]
    found[1:] |= down
    found[:-1] |= down
    found[:, 1:] |= right
    found[:, :-1] |= right
    return np.where(found, ids, IGNORE_INDEX).astype(np.uint8)


def _counts(boundary: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    return np.bincount(boundary.ravel(), minlength=IGNORE_INDEX + 1)[:classes]


def _shares_near(
    boundary: NDArray[np.uint8], other: NDArray[np.uint8], reach: float, classes: int
) -> NDArray[np.float64]:
    """Of each class, how much of its boundary is nearer than ``reach`` pixels to its other one; 0 where it has none."""
    margin = math.ceil(reach)
    own, other = (np.pad(ids, margin, constant_values=IGNORE_INDEX) for ids in (boundary, other))
    y, x = np.mgrid[-margin : margin + 1, -margin : margin + 1]
    distances, shifts = np.hypot(y, x).ravel(), (y * own.shape[1] + x).ravel()
    nearest_first = np.argsort(distances)[: np.count_nonzero(distances < reach)]
    # Boundaries are a few pixels in a hundred, and most find the other one at once: a map of distances takes longer.
    own, other, missing = own.ravel(), other.ravel(), np.flatnonzero(own != IGNORE_INDEX)
    for shift in shifts[nearest_first]:
        missing = missing[other[missing + shift] != own[missing]]
    total = _counts(boundary, classes)
    return np.asarray((total - _counts(own[missing], classes)) / np.maximum(1, total), np.float64)
