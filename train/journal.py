"""What a run says of itself while it trains: each line to ``metrics.jsonl``, and to its trackers."""

from typing import Any

from train import processes
from train.meter import Meter
from train.run_directory import RunDirectory
from train.trackers import Trackers


class Journal:
    """Written to by the recipe. Each line gets the time and energy spent so far (`train.meter.Meter`)."""

    def __init__(self, run: RunDirectory, trackers: Trackers) -> None:
        self._run = run
        self._trackers = trackers
        self._meter = Meter(run.records())

    def write(self, step: int, **values: Any) -> None:
        """A line about what happened after ``step`` finished steps."""
        if not processes.is_first():
            return
        record = {"step": step, **values, **self._meter.read()}
        self._run.log(record)
        self._trackers.log(record)
