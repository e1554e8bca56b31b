"""Estimated flow with an estimate of what is hidden, kept on disk where asked (no torch)."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from train.data.flow.cache import FlowCache
from train.data.flow.field import Displacement, Flow, Mask, inside, warp
from train.data.flow.pair import FramePair
from train.errors import UserError

_RELATIVE = 0.01


class Estimator(Protocol):
    """Estimates the displacement between two RGB frames ``(H, W, 3)``."""

    name: str
    """Says everything that its results depend on, but for the frames."""

    def __call__(self, now: NDArray[np.uint8], then: NDArray[np.uint8]) -> Displacement: ...


class EstimatedFlow:
    """The flow of an estimator, visible where it leads into the frame and back again.

    Args:
        tolerance: pixels by which there and back again may be off, see `consistent`; 0: everything is visible that
            stays inside, and the way back is not estimated.
    """

    def __init__(self, estimate: Estimator, tolerance: float, cache: FlowCache | None) -> None:
        self._estimate = estimate
        self._tolerance = tolerance
        self._cache = cache
        self._settings = f"{estimate.name} tolerance {tolerance}"

    def __call__(self, pair: FramePair) -> Flow:
        if pair.now.shape != pair.then.shape:
            raise UserError(
                f"{pair.name}: the frame is {pair.now.shape[:2]}, the one {pair.gap:+d} from it {pair.then.shape[:2]} "
                "(height, width): all frames of a clip must have one size"
            )
        if self._cache is None:
            return self._compute(pair.now, pair.then)
        key = self._cache.key(self._settings, pair.now, pair.then)
        flow = self._cache.load(key)
        if flow is None:
            flow = self._compute(pair.now, pair.then)
            self._cache.store(key, flow)
        return flow

    def _compute(self, now: NDArray[np.uint8], then: NDArray[np.uint8]) -> Flow:
        there = self._estimate(now, then)
        visible = inside(there)
        if self._tolerance:
            visible &= consistent(there, self._estimate(then, now), self._tolerance)
        return Flow(there, visible)


def consistent(there: Displacement, back: Displacement, tolerance: float) -> Mask:
    """``(H, W)``: where ``back``, read at the end of ``there``, leads to the start again; elsewhere something hides.

    |there + back|² ≤ 0.01 (|there|² + |back|²) + tolerance², in pixels: the criterion of Sundaram et al., "Dense Point
    Trajectories by GPU-accelerated Large Displacement Optical Flow", ECCV 2010, §4.
    """
    returned = warp(back, there)
    off, length = _squared(there + returned), _squared(there) + _squared(returned)
    return np.asarray(off <= _RELATIVE * length + tolerance**2)


def _squared(displacement: Displacement) -> NDArray[np.float32]:
    return np.asarray((displacement**2).sum(axis=-1))
