"""What a run wrote into ``metrics.jsonl``, as curves and scores (no torch)."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Record = dict[str, Any]
Curve = tuple[list[int], list[float]]
"""Steps and values."""


@dataclass(frozen=True)
class History:
    """The course of a training."""

    logged: list[Record]
    """Lines with ``step``, ``lr``, ``samples_per_s``, ``losses``, and the time and energy so far."""
    evaluations: list[Record]
    """Lines with ``step`` and the scores on the val split."""

    @classmethod
    def of(cls, records: Sequence[Record]) -> "History":
        """Sort the lines of ``metrics.jsonl`` by what they tell."""
        return cls([line for line in records if "losses" in line], [line for line in records if "miou" in line])

    @property
    def best(self) -> Record | None:
        """The first evaluation with the highest mIoU."""
        return max(self.evaluations, key=lambda line: line["miou"], default=None)

    @property
    def last(self) -> Record | None:
        """The newest evaluation."""
        return self.evaluations[-1] if self.evaluations else None

    def losses(self) -> dict[str, Curve]:
        """Each weighted loss term over the steps."""
        names = dict.fromkeys(name for line in self.logged for name in line["losses"])
        return {name: _curve([(line["step"], line["losses"].get(name)) for line in self.logged]) for name in names}

    def learning_rate(self) -> Curve:
        """The learning rate over the steps."""
        return _curve([(line["step"], line["lr"]) for line in self.logged])

    def step_seconds(self) -> float | None:
        """The median time of a step between two logged ones; None: no time is on record."""
        timed = [line for line in self.logged if "seconds" in line]
        pairs = [(one, other) for one, other in pairwise(timed) if other["step"] > one["step"]]
        times = [(other["seconds"] - one["seconds"]) / (other["step"] - one["step"]) for one, other in pairs]
        return statistics.median(times) if times else None

    def spent(self, key: str) -> float | None:
        """Of ``seconds``, ``cpu_joules`` or ``gpu_joules`` in the whole run; None: not on record."""
        newest = max([*self.logged[-1:], *self.evaluations[-1:]], key=lambda line: line.get("seconds", 0), default={})
        value: float | None = newest.get(key)
        return value

    def score(self, key: str) -> Curve:
        """A score of the evaluations, e.g. ``miou``, over the steps."""
        return _curve([(line["step"], line[key]) for line in self.evaluations])


def _curve(points: list[tuple[int, float | None]]) -> Curve:
    known = [(step, value) for step, value in points if value is not None]
    return [step for step, _ in known], [value for _, value in known]
