"""Whether a network knows how often it is right: reliability and expected calibration error (no torch)."""

import numpy as np
from numpy.typing import NDArray

from train.data.palette import IGNORE_INDEX

BINS = 15
"""As in Guo et al."""


class Reliability:
    """Confidence against accuracy, of pixels sorted into bins by their confidence. Ignored pixels are not counted.

    The bin m of M holds the n_m of all n pixels whose softmax probability is in ((m - 1) / M, m / M]. Its accuracy
    acc_m is the share of them that is right, its confidence conf_m the mean of their probabilities, and

        ECE = Σ_m n_m / n · |acc_m - conf_m|

    Guo et al., "On Calibration of Modern Neural Networks", equations 2 to 5, https://arxiv.org/abs/1706.04599; for
    segmentation every labelled pixel is a sample.
    """

    def __init__(self, bins: int = BINS) -> None:
        self.pixels: NDArray[np.int64] = np.zeros(bins, np.int64)
        """By bin."""
        self._right: NDArray[np.int64] = np.zeros(bins, np.int64)
        self._confidence: NDArray[np.float64] = np.zeros(bins)

    def add(self, label: NDArray[np.uint8], prediction: NDArray[np.uint8], confidence: NDArray[np.float32]) -> None:
        """Count one image: class ids ``(H, W)`` each, and the probabilities ``(H, W)`` of the predicted ones."""
        bins, valid = len(self.pixels), label != IGNORE_INDEX
        sure = confidence[valid]
        number = np.clip(np.ceil(sure * bins).astype(np.int64) - 1, 0, bins - 1)
        self.pixels += np.bincount(number, minlength=bins)
        self._right += np.bincount(number[prediction[valid] == label[valid]], minlength=bins)
        self._confidence += np.bincount(number, weights=sure, minlength=bins)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """By bin; NaN where it is empty."""
        return self._mean(self._right)

    @property
    def confidence(self) -> NDArray[np.float64]:
        """By bin; NaN where it is empty."""
        return self._mean(self._confidence)

    @property
    def error(self) -> float | None:
        """The expected calibration error in 0..1; None: no pixel was counted."""
        pixels = int(self.pixels.sum())
        return float(np.abs(self._right - self._confidence).sum() / pixels) if pixels else None

    def _mean(self, sums: NDArray[np.int64] | NDArray[np.float64]) -> NDArray[np.float64]:
        mean: NDArray[np.float64] = sums / np.where(self.pixels > 0, self.pixels, np.nan)
        return mean
