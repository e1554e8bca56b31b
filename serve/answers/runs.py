"""Run lengths of a class map."""

import numpy as np
from numpy.typing import NDArray


def run_lengths(ids: NDArray[np.uint8]) -> tuple[list[int], list[int]]:
    """``(values, lengths)`` of the runs of ``ids`` ``(H, W)``, row by row from the top left, runs going on over rows.

    ``np.repeat(values, lengths).reshape(height, width)`` gives the map back.
    """
    flat = ids.reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    return flat[starts].tolist(), np.diff(starts, append=flat.size).tolist()
