"""Which frames of a clip are scored on and never trained on: stretches of time, not neighbours of others (no torch)."""

from itertools import pairwise
from typing import NamedTuple

_LONGEST = 1000
"""Frames of a clip that have one held-out stretch; a longer clip has more of them."""


class Stretches(NamedTuple):
    """Frame numbers."""

    all: list[range]
    train: list[range]
    val: list[range]


def stretches(frames: int, held_out: float, apart: int) -> Stretches:
    """Cut a clip of so many frames into even pieces; the end of each is held out.

    Args:
        frames: of the clip.
        held_out: share of the frames.
        apart: frames before and after each held-out stretch that belong to neither.
    """
    pieces = -(-frames // _LONGEST)
    bounds = [frames * number // pieces for number in range(pieces + 1)] if pieces else []
    train, val = [], []
    for number, (start, stop) in enumerate(pairwise(bounds)):
        held = max(1, round(held_out * (stop - start))) if held_out * frames >= 1 else 0
        val.append(range(stop - held, stop))
        train.append(range(start + (apart if number else 0), max(start, stop - held - apart)))
    return Stretches([range(frames)], [part for part in train if part], [part for part in val if part])
