"""What is to be trained, in which order: the trials of an arm, its final runs, and the control."""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from train.compare.arms import ArmConfig, longer
from train.compare.job import Job
from train.compare.plan import Plan
from train.compare.results import Parameters, TrialRecord
from train.compare.study import Study


@dataclass(frozen=True)
class ArmSchedule:
    """One arm as far as its folders say; every process finds the same."""

    arm: ArmConfig
    plan: Plan

    @property
    def steps(self) -> int:
        """Of a whole training."""
        return self.arm.base.loop.steps

    @property
    def rank_after(self) -> int:
        """The step after which trials are ranked, one with an evaluation; the last: none is ended early."""
        loop, stopping = self.arm.base.loop, self.arm.comparison.tuning.stopping
        if stopping is None:
            return loop.steps
        evaluations = max(1, round(stopping.after * loop.steps / loop.eval_every))
        return min(evaluations * loop.eval_every, loop.steps)

    def trial(self, point: int, until: int) -> Job:
        """A trial up to a step."""
        parameters = self.arm.points[point]
        config = self.arm.training(f"trial-{point:02d}", self.arm.comparison.tuning.seed, parameters)
        return Job(config, until)

    @property
    def points(self) -> list[int]:
        """Of the trials; none: there is only one, the config as it is, and nothing to choose."""
        return list(range(self.plan.trials)) if self.plan.trials > 1 else []

    @property
    def has_control(self) -> bool:
        """Whether it is trained once more, for longer."""
        return self.arm.kind == "baseline" and self.arm.comparison.control

    def survivors(self) -> list[int] | None:
        """The points that go on after the ranking; None: it cannot be made yet."""
        short = [self.trial(point, self.rank_after) for point in self.points]
        if not all(job.done for job in short):
            return None
        stopping = self.arm.comparison.tuning.stopping
        sound = [point for point, job in enumerate(short) if job.failure is None]
        kept = len(sound) if stopping is None else math.ceil(stopping.keep * self.plan.trials)
        ranked = sorted(sound, key=lambda point: -max(short[point].miou.values()))  # stable: else the first point
        return sorted(ranked[:kept])

    def trials(self) -> list[TrialRecord] | None:
        """How the tuning went, by point; None: it goes on."""
        kept = self.survivors()
        if kept is None or not all(self.trial(point, self.steps).done for point in kept):
            return None
        return [self._record(point, point in kept) for point in self.points]

    def best(self) -> Parameters | None:
        """What the final runs are trained with; None: the tuning goes on, or no trial has succeeded."""
        if not self.points:
            return self.arm.start
        whole = [record for record in self.trials() or [] if record.miou and not record.stopped]
        best = max(whole, key=lambda record: max(record.miou.values()), default=None)
        return None if best is None else best.parameters

    def finals(self) -> list[Job]:
        """The runs that are compared, by seed; none: it is not known yet with which values."""
        best = self.best()
        if best is None:
            return []
        seeds = self.plan.seeds
        return [Job(self.arm.training(f"seed-{seed}", seed, best), self.steps, True) for seed in seeds]

    def open(self) -> list[Job]:
        """What may be trained now."""
        kept = self.survivors()
        if kept is None:
            jobs = [self.trial(point, self.rank_after) for point in self.points]
        else:
            jobs = [self.trial(point, self.steps) for point in kept]
        if all(job.done for job in jobs):
            jobs = self.finals()
        return [job for job in jobs if not job.done]

    def record(self) -> None:
        """Put the ended trials into the study."""
        records = self.trials()
        if records:
            root = self.arm.comparison.root
            study = Study(root, f"{self.arm.comparison.name}/{self.arm.name}", self.arm.space, self.arm.start)
            for record in records:
                study.add(record)

    def _record(self, point: int, kept: bool) -> TrialRecord:
        job = self.trial(point, self.steps if kept else self.rank_after)
        return TrialRecord(
            point=point,
            parameters=self.arm.points[point],
            miou=job.miou,
            stopped=job.failure is None and not kept,
            run=str(job.root.relative_to(self.arm.comparison.root)),
            seconds=job.history.spent("seconds"),
        )


class Schedule:
    """All arms of a comparison."""

    def __init__(self, arms: list[ArmConfig], plan: Plan) -> None:
        self.arms = [ArmSchedule(arm, plan) for arm in arms]
        self._plan = plan

    def open(self) -> Iterator[Job]:
        """What may be trained now: arm by arm, so that what is not finished is whole arms; the controls at last."""
        for arm in self.arms:
            yield from arm.open()
        for baseline in self.arms:
            if baseline.has_control:
                yield from (job for job in self.control(baseline) if not job.done)

    def record(self) -> None:
        """Put ended trials into the studies."""
        for arm in self.arms:
            arm.record()

    def line(self, job: Job) -> str:
        """What is next, and how far all is."""
        done, total = self._count()
        return f"[{done} of {total} trainings are done] next: {job.config.name} to step {job.until}"

    def _count(self) -> tuple[int, int]:
        done = total = 0
        for schedule in self.arms:
            jobs = [schedule.trial(point, schedule.rank_after) for point in schedule.points] + schedule.finals()
            if schedule.has_control:
                jobs += self.control(schedule)
            done += sum(job.done for job in jobs)
            total += len(schedule.points) + len(self._plan.seeds) * (2 if schedule.has_control else 1)
        return done, total

    def control(self, baseline: ArmSchedule) -> list[Job]:
        """The baseline's runs once more, for as long as the dearest method takes; none: it is not known yet."""
        arm, best = longer(baseline.arm), baseline.best()
        times = self._times(baseline)
        if best is None or times is None:
            return []
        steps = round(times * baseline.steps)
        # Methods that are added may make it longer: then these are other runs.
        return [Job(arm.training(f"seed-{seed}-{steps}", seed, best, steps), steps, True) for seed in self._plan.seeds]

    def _times(self, baseline: ArmSchedule) -> float | None:
        """How many times as long the control is trained as the baseline."""
        wanted = baseline.arm.comparison.longer
        if wanted is not None:
            return wanted
        arms = [arm for arm in self.arms if arm.arm.student == baseline.arm.student]
        if any(arm.open() for arm in arms):
            return None
        seconds, own = [_seconds(arm) for arm in arms], _seconds(baseline)
        return max(value for value in seconds if value is not None) / own if own else None


def _seconds(arm: ArmSchedule) -> float | None:
    """The median time of a final run; None: some are not done, or have no time on record."""
    finals = arm.finals()
    if not finals or not all(job.done for job in finals):
        return None
    seconds = [job.history.spent("seconds") for job in finals if job.failure is None]
    known = [value for value in seconds if value is not None]
    return statistics.median(known) if known and len(known) == len(seconds) else None
