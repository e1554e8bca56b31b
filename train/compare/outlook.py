"""How far a comparison is, and how long the rest takes, by what its trainings have taken so far."""

import time

from train.compare.job import Job
from train.compare.schedule import Schedule
from train.quantities import duration


class Outlook:
    """As one of its processes sees it.

    Args:
        schedule: of the comparison.
        processes: how many train, as long as it cannot be measured.
    """

    def __init__(self, schedule: Schedule, processes: int) -> None:
        self._schedule, self._processes = schedule, processes
        self._began, self._spent_before = time.monotonic(), self._spent()

    def line(self, job: Job) -> str:
        """What is next, how many trainings are done, and how long the others take."""
        done = sum(job.done for arm in self._schedule.arms for job in self._schedule.trainings(arm))
        total = sum(map(self._schedule.count, self._schedule.arms))
        return f"[{done} of {total} trainings are done{self._left()}] next: {job.config.name} to step {job.until}"

    def _left(self) -> str:
        """Nothing before a first step is timed. An arm without one is taken for as quick as the quickest."""
        arms = self._schedule.arms
        step_s = [_step_s(self._schedule.trainings(arm)) for arm in arms]
        known = [seconds for seconds in step_s if seconds is not None]
        if not known:
            return ""
        seconds, least = 0.0, False
        for arm, own in zip(arms, step_s, strict=True):
            steps = self._schedule.steps_left(arm, max(known) / (own or min(known)))
            seconds += steps * (own or min(known))
            least = least or (steps > 0 and own is None)
        return f", {'more than' if least else 'about'} {duration(seconds / self._at_once())} left"

    def _at_once(self) -> float:
        """How many trainings run side by side, on all machines: their seconds in one of this clock."""
        spent, passed = self._spent() - self._spent_before, time.monotonic() - self._began
        return spent / passed if spent > 0 else self._processes

    def _spent(self) -> float:
        return sum(_seconds(self._schedule.trainings(arm)) for arm in self._schedule.arms)


def _seconds(jobs: list[Job]) -> float:
    return sum(job.history.spent("seconds") or 0.0 for job in jobs)


def _step_s(jobs: list[Job]) -> float | None:
    """Of the trainings that have begun, evaluations included; None: none has."""
    steps = sum(job.steps for job in jobs)
    return _seconds(jobs) / steps if steps else None
