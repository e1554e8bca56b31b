"""What is to be trained of one arm: its trials, then its final runs."""

import statistics
from dataclasses import dataclass

from train.compare.arms import ArmConfig
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
        short = [self.trial(point, self.arm.rank_after) for point in self.points]
        if not all(job.done for job in short):
            return None
        sound = [point for point, job in enumerate(short) if job.failure is None]
        ranked = sorted(sound, key=lambda point: -max(short[point].miou.values()))  # stable: else the first point
        return sorted(ranked[: self.arm.kept(self.plan.trials)])

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
        return [Job(self.arm.training(self.run_of(seed), seed, best), self.steps, True) for seed in seeds]

    def run_of(self, seed: int) -> str:
        """The name of a final run. What a budget has tuned by fewer trials is another run."""
        whole = self.plan.trials == self.arm.comparison.tuning.trials
        return f"seed-{seed}" if whole else f"seed-{seed}-of-{self.plan.trials}-trials"

    def final_s(self) -> float | None:
        """The median time of a final run, seconds; None: some are not done, or have no time on record."""
        finals = self.finals()
        if not finals or not all(job.done for job in finals):
            return None
        seconds = [job.history.spent("seconds") for job in finals if job.failure is None]
        known = [value for value in seconds if value is not None]
        return statistics.median(known) if known and len(known) == len(seconds) else None

    def open(self) -> list[Job]:
        """What may be trained now."""
        kept = self.survivors()
        if kept is None:
            jobs = [self.trial(point, self.arm.rank_after) for point in self.points]
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
        job = self.trial(point, self.steps if kept else self.arm.rank_after)
        return TrialRecord(
            point=point,
            parameters=self.arm.points[point],
            miou=job.miou,
            stopped=job.failure is None and not kept,
            run=str(job.root.relative_to(self.arm.comparison.root)),
            seconds=job.history.spent("seconds"),
        )
