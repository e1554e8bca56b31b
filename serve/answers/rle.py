"""COCO's compressed run lengths of every class of a class map.

The format is that of ``pycocotools.mask`` (https://github.com/cocodataset/cocoapi): a mask is read column by column, as
the lengths of its runs of 0 and 1 in turn, beginning with 0. From the fourth on a length is written as the difference
to the one before the last, in groups of five bits, the lowest first, each a printable character.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

_BITS = 5
_MORE = 1 << _BITS  # another character of the same number follows
_FIRST_CHARACTER = ord("0")
_LIMITS = 1 << (_BITS * np.arange(1, 7) - 1)  # from the k-th on, a number of 32 bits needs more than k + 1 characters


@dataclass(frozen=True)
class ClassRuns:
    """The runs of a class map ``(H, W)``, column by column from the top left, sorted by class."""

    present: NDArray[np.uint8]
    """``(C,)`` the classes that the map has, ascending."""
    first: NDArray[np.int64]
    """``(C,)`` where the runs of each begin in the arrays below."""
    order: NDArray[np.int64]
    """``(R,)`` the place of each run among all runs of the map."""
    starts: NDArray[np.int64]
    """``(R,)`` the first pixel of each run."""
    lengths: NDArray[np.int64]
    """``(R,)`` pixels."""
    total: int
    """Pixels of the map."""

    def sums(self, of_runs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Add up ``(R,)`` values of the runs for each class: ``(C,)``."""
        return np.add.reduceat(of_runs, self.first)


def class_runs(ids: NDArray[np.uint8]) -> ClassRuns:
    """The runs of ``ids`` ``(H, W)``, all classes in one pass over the pixels."""
    column = _by_column(ids)
    starts = np.concatenate([[0], np.flatnonzero(column[1:] != column[:-1]) + 1])
    lengths = np.diff(starts, append=column.size)
    values = column[starts]
    order = np.argsort(values, kind="stable")
    present, first = np.unique(values[order], return_index=True)
    return ClassRuns(present, first, order, starts[order], lengths[order], column.size)


def class_means(runs: ClassRuns, values: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean of ``values`` ``(H, W)`` over the pixels of each class: ``(C,)``."""
    in_map_order = np.sort(runs.starts)
    sums = np.add.reduceat(_by_column(values), in_map_order, dtype=np.int64)
    return np.asarray(runs.sums(sums[runs.order]) / runs.sums(runs.lengths))


def compressed_counts(runs: ClassRuns) -> list[str]:
    """For each class present what ``pycocotools.mask.encode(ids == class)["counts"]`` is, decoded as ASCII."""
    counts, sizes = _counts(runs)
    ends = np.cumsum(sizes)
    position = np.arange(counts.size) - np.repeat(ends - sizes, sizes)
    before_last = np.where(position > 2, np.roll(counts, 2), 0)
    text, digits = _characters((counts - before_last).astype(np.int32))
    text_ends = np.cumsum(digits)[ends - 1].tolist()
    return [text[start:end] for start, end in zip([0, *text_ends[:-1]], text_ends, strict=True)]


def _by_column(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.transpose(values), np.uint8).reshape(-1)  # a ninth of the time of NumPy's copy


def _counts(runs: ClassRuns) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The lengths of 0 and 1 in turn, one class after the other, and how many each class has."""
    ends = runs.starts + runs.lengths
    ends_before = np.roll(ends, 1)
    ends_before[runs.first] = 0
    counts = np.stack([runs.starts - ends_before, runs.lengths], axis=1).reshape(-1)
    behind_last = np.append(runs.first[1:], runs.starts.size)
    rest = runs.total - ends[behind_last - 1]
    has_rest = rest > 0
    counts = np.insert(counts, 2 * behind_last[has_rest], rest[has_rest])
    return counts, 2 * (behind_last - runs.first) + has_rest


def _characters(numbers: NDArray[np.int32]) -> tuple[str, NDArray[np.int64]]:
    """The numbers ``(R,)`` as one text, and how many characters each has."""
    magnitude = numbers ^ (numbers >> 31)  # a negative number needs as many bits as its complement
    digits = np.searchsorted(_LIMITS, magnitude, side="right") + 1
    place = np.arange(digits.max(), dtype=np.int32)
    groups = ((numbers[:, None] >> (_BITS * place)) & (_MORE - 1)).astype(np.uint8)
    groups += np.where(place < digits[:, None] - 1, np.uint8(_FIRST_CHARACTER + _MORE), np.uint8(_FIRST_CHARACTER))
    return groups[place < digits[:, None]].tobytes().decode("ascii"), digits
