"""Scores of a segmentation, all from one confusion matrix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.palette import IGNORE_INDEX


class ConfusionMatrix:
    """Counts of pixels, rows: label, columns: prediction. Ignored pixels are not counted."""

    def __init__(self, classes: int) -> None:
        self.counts: NDArray[np.int64] = np.zeros((classes, classes), np.int64)

    def add(self, label: NDArray[np.uint8], prediction: NDArray[np.uint8]) -> None:
        """Count one image: class ids ``(H, W)`` each."""
        classes = len(self.counts)
        valid = label != IGNORE_INDEX
        pairs = label[valid].astype(np.int64) * classes + prediction[valid]
        self.counts += np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


@dataclass(frozen=True)
class Scores:
    """Shares in 0..1. A class that occurs neither in labels nor in predictions has no IoU and no accuracy."""

    miou: float
    macc: float
    pixel_accuracy: float
    class_iou: dict[str, float | None]


def scores(matrix: ConfusionMatrix, classes: list[str]) -> Scores:
    """mIoU over the classes that occur in labels or predictions; mAcc over those in labels; pixel accuracy."""
    counts = matrix.counts
    hits = np.diag(counts).astype(np.float64)
    labelled = counts.sum(axis=1)
    union = labelled + counts.sum(axis=0) - hits
    iou = [float(hit / all_) if all_ else None for hit, all_ in zip(hits, union, strict=True)]
    accuracy = [float(hit / all_) for hit, all_ in zip(hits, labelled, strict=True) if all_]
    occurring = [value for value in iou if value is not None]
    return Scores(
        miou=float(np.mean(occurring)) if occurring else 0.0,
        macc=float(np.mean(accuracy)) if accuracy else 0.0,
        pixel_accuracy=float(hits.sum() / max(1, counts.sum())),
        class_iou=dict(zip(classes, iou, strict=True)),
    )
