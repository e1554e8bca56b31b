"""Where to cut off a range so that INT8 loses least information, by Kullback-Leibler divergence.

After https://on-demand.gputechconf.com/gtc/2017/presentation/s7310-8-bit-inference-with-tensorrt.pdf. ONNX Runtime has
a method of this name, which is not used: it gives each sign half of the steps and the last step all bins that do not
divide by their number, and cuts off far too much.
"""

import numpy as np
from numpy.typing import NDArray

LEVELS = 128
"""Steps of int8 for one sign."""

_STRIDE = 8
_NEVER = 1e-10
"""Stands for the probability of what no step is left for, so that the divergence stays finite."""


def entropy_cut(counts: NDArray[np.int64]) -> int:
    """Of a histogram of absolute values ``(B,)``, from 0 upwards, the number of bins to keep.

    The first bin counts like the second: it is mostly zeros, which every scale represents exactly.
    """
    weights = counts.astype(np.float64)
    weights[0] = weights[1]
    if not weights.any():
        return len(weights)
    candidates = list(range(LEVELS, len(weights), _STRIDE))
    candidates.append(len(weights))
    return min(candidates, key=lambda kept: _divergence(weights, kept))


def _divergence(counts: NDArray[np.float64], kept: int) -> float:
    """Of the values in ``LEVELS`` steps from the values themselves, of which those beyond ``kept`` are at its end."""
    inside = counts[:kept]
    clipped = inside.copy()
    clipped[-1] += counts[kept:].sum()
    used = clipped > 0
    step = np.arange(kept) * LEVELS // kept
    of_step = np.bincount(step, inside, LEVELS) / np.maximum(np.bincount(step, used, LEVELS), 1)
    true = clipped[used] / clipped.sum()
    stepped = np.maximum(of_step[step][used] / max(inside.sum(), 1.0), _NEVER)
    return float((true * np.log(true / stepped)).sum())
