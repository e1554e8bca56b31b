"""A figure over seeds: its mean and its standard deviation (no torch)."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Mean, and standard deviation of the sample; one value alone has none."""

    mean: float
    std: float | None


def spread(values: Iterable[float | None]) -> Spread | None:
    """Of the values that are there; None: there is none."""
    there = [value for value in values if value is not None and math.isfinite(value)]
    if not there:
        return None
    return Spread(statistics.fmean(there), statistics.stdev(there) if len(there) > 1 else None)


def median(values: Iterable[float | None]) -> float | None:
    """Of the values that are there; None: there is none."""
    there = [value for value in values if value is not None and math.isfinite(value)]
    return statistics.median(there) if there else None
