"""What is to be trained, in which order: arm by arm, and the controls."""

import math
from collections.abc import Iterator

from train.compare.arm_schedule import ArmSchedule
from train.compare.arms import ArmConfig, longer
from train.compare.job import Job
from train.compare.plan import Plan

_PARTS = 20


class Schedule:
    """All arms of a comparison."""

    def __init__(self, arms: list[ArmConfig], plan: Plan) -> None:
        self.arms = [ArmSchedule(arm, plan) for arm in arms]
        self._plan = plan

    def check(self) -> None:
        """`UserError` where a folder holds a training by another config than that of now."""
        for arm in self.arms:
            for job in self.trainings(arm):
                job.check()

    def open(self) -> Iterator[Job]:
        """What may be trained now: arm by arm, so that what is not finished is whole arms; the controls at last."""
        for arm in self.arms:
            yield from arm.open()
        for baseline in self.arms:
            yield from (job for job in self.control(baseline) if not job.done)

    def trainings(self, arm: ArmSchedule) -> list[Job]:
        """All of an arm that are known by now, done or not: trials, final runs, and the control of a baseline."""
        kept = arm.survivors() or []
        trials = [arm.trial(point, arm.steps if point in kept else arm.arm.rank_after) for point in arm.points]
        return [*trials, *arm.finals(), *self.control(arm)]

    def count(self, arm: ArmSchedule) -> int:
        """How many trainings an arm has in the end."""
        return len(arm.points) + len(self._plan.seeds) * (2 if arm.has_control else 1)

    def steps_left(self, arm: ArmSchedule, dearest: float) -> float:
        """Of all trainings of an arm, also those that are not known yet.

        Args:
            arm: one of them.
            dearest: what a step of the dearest method takes, as a multiple of the arm's: how long its control is.
        """
        wanted = arm.arm.comparison.longer
        times = 1 + (dearest if wanted is None else wanted) * arm.has_control
        steps = arm.arm.steps_of(self._plan.trials) + len(self._plan.seeds) * times * arm.steps
        return max(0.0, steps - sum(job.until if job.done else job.steps for job in self.trainings(arm)))

    def record(self) -> None:
        """Put ended trials into the studies."""
        for arm in self.arms:
            arm.record()

    def control(self, baseline: ArmSchedule) -> list[Job]:
        """The baseline's runs once more, as long as the dearest method takes; none: not known yet, or not wanted."""
        if not baseline.has_control:
            return []
        arm, best = longer(baseline.arm), baseline.best()
        times = self._times(baseline)
        if best is None or times is None:
            return []
        steps = round(times * baseline.steps)
        # Methods that are added may make it longer: then these are other runs.
        names = {seed: f"{baseline.run_of(seed)}-{steps}" for seed in self._plan.seeds}
        return [Job(arm.training(name, seed, best, steps), steps, True) for seed, name in names.items()]

    def _times(self, baseline: ArmSchedule) -> float | None:
        """How many times as long the control is trained as the baseline.

        What is measured is rounded up, so that the next seed with its own time hardly ever asks for other runs.
        """
        wanted = baseline.arm.comparison.longer
        if wanted is not None:
            return wanted
        arms = [arm for arm in self.arms if arm.arm.student == baseline.arm.student]
        if any(arm.open() for arm in arms):
            return None
        seconds, own = [arm.final_s() for arm in arms], baseline.final_s()
        if not own:
            return None
        return math.ceil(_PARTS * max(value for value in seconds if value is not None) / own) / _PARTS
