"""How well the boundaries of a segmentation lie where those of the labels are (no torch)."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from train.data.palette import IGNORE_INDEX

TOLERANCE = 0.0075
"""Of the image's diagonal, as in the paper."""

_Mask = NDArray[np.bool_]


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
        self._sums = [0.0] * classes
        self._images = [0] * classes

    def add(self, label: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
        """Score one image, of any size."""
        prediction = np.where(label == IGNORE_INDEX, IGNORE_INDEX, prediction).astype(np.uint8)
        reach = self._tolerance * float(np.hypot(*label.shape))
        labelled, predicted = _boundary(label), _boundary(prediction)
        for number in range(len(self._sums)):
            ours, theirs = predicted & (prediction == number), labelled & (label == number)
            if ours.any() or theirs.any():
                self._sums[number] += _f_score(ours, theirs, reach)
                self._images[number] += 1

    def scores(self, classes: list[str]) -> BoundaryScores:
        """The scores of all images together, by the names of the classes."""
        means = [total / images if images else None for total, images in zip(self._sums, self._images, strict=True)]
        known = [mean for mean in means if mean is not None]
        return BoundaryScores(float(np.mean(known)) if known else None, dict(zip(classes, means, strict=True)))


def _boundary(ids: NDArray[np.uint8]) -> _Mask:
    """Where a pixel has another class than one of its four neighbours, and neither of the two is ignored."""
    known = ids != IGNORE_INDEX
    found = np.zeros(ids.shape, np.bool_)
    down = (ids[1:] != ids[:-1]) & known[1:] & known[:-1]
    right = (ids[:, 1:] != ids[:, :-1]) & known[:, 1:] & known[:, :-1]
    found[1:] |= down
    found[:-1] |= down
    found[:, 1:] |= right
    found[:, :-1] |= right
    return found


def _f_score(ours: _Mask, theirs: _Mask, reach: float) -> float:
    precision, recall = _share_near(ours, theirs, reach), _share_near(theirs, ours, reach)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _share_near(points: _Mask, others: _Mask, reach: float) -> float:
    """Of ``points``, how many are nearer than ``reach`` pixels to one of the others; 0 where either has none."""
    if not (points.any() and others.any()):
        return 0.0
    distance = cv2.distanceTransform((~others).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float((distance[points] < reach).mean())
