"""Scores of predictions over time: do they follow what they show, and do they keep still where nothing moves?"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from train.data.flow.field import Flow, warp_ids
from train.data.palette import IGNORE_INDEX
from train.metrics import ConfusionMatrix, scores

STILL_PX = 0.5
"""A point that moves less, from one frame of a pair to the other, is still the same pixel: its region is static."""


@dataclass(frozen=True)
class TemporalScores:
    """What pairs of frames say. Shares are 0..1; None: cannot be told, for want of a frame rate or of static pixels."""

    tc: float
    """Temporal consistency: mIoU between the prediction at t and the one at t + k warped back, over both's classes."""
    class_tc: dict[str, float | None]
    visible: float
    """Share of the pixels that were compared for `tc`: those whose flow is visible."""
    flips_per_s: float | None
    """How often the class of a static pixel changes in a second."""
    static: float
    """Share of the pixels that are static."""
    pairs: int


class TemporalConsistency:
    """Adds up pairs of predictions, class ids ``(H, W)``, and the flow between their frames.

    TC as in Liu et al., "Efficient Semantic Video Segmentation with Per-frame Inference", ECCV 2020,
    https://arxiv.org/abs/2002.11433, with two differences: ids are warped by the nearest pixel, for bilinear warping
    makes up classes, and one confusion matrix is kept of all pairs. Ignored pixels (255) of either side do not count.
    """

    def __init__(self, classes: int) -> None:
        self._matrix = ConfusionMatrix(classes)
        self._pixels = self._static = self._flips = self._pairs = 0
        self._static_s: float | None = 0.0

    def add(self, now: NDArray[np.uint8], then: NDArray[np.uint8], flow: Flow, seconds: float | None) -> None:
        """Count one pair; ``seconds`` lie between its frames, None: nobody knows."""
        warped = warp_ids(then, flow.displacement)
        known = flow.visible & (warped != IGNORE_INDEX)
        self._matrix.add(
            np.where(known, now, IGNORE_INDEX).astype(np.uint8), np.where(known, warped, 0).astype(np.uint8)
        )
        self._pixels += now.size
        self._pairs += 1

        # A static point is in the same pixel of both frames; that it is not hidden there, the flow says as well.
        static = flow.visible & (np.hypot(*np.moveaxis(flow.displacement, -1, 0)) < STILL_PX)
        static &= (now != IGNORE_INDEX) & (then != IGNORE_INDEX)
        self._static += int(static.sum())
        self._flips += int((now != then)[static].sum())
        if seconds is None or self._static_s is None:
            self._static_s = None
        else:
            self._static_s += int(static.sum()) * seconds

    def scores(self, classes: list[str]) -> TemporalScores:
        """The scores of all pairs together."""
        result = scores(self._matrix, classes)
        return TemporalScores(
            tc=result.miou,
            class_tc=result.class_iou,
            visible=float(self._matrix.counts.sum()) / max(1, self._pixels),
            flips_per_s=self._flips / self._static_s if self._static_s else None,
            static=self._static / max(1, self._pixels),
            pairs=self._pairs,
        )
