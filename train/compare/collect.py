"""From the folders of a comparison to what it has found."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from train.compare.arm_schedule import ArmSchedule
from train.compare.arms import ArmConfig, longer
from train.compare.config import CompareConfig
from train.compare.environment import environment_of
from train.compare.job import Job
from train.compare.latency import bundle_latency_ms
from train.compare.looks import trained_later
from train.compare.plan import Plan
from train.compare.results import Arm, Dimension, Results, RunScores, Student
from train.compare.schedule import Schedule
from train.compare.scoring import score_run
from train.compare.shortfalls import (
    chosen_on,
    different_devices,
    later,
    left_out,
    missing,
    of_teachers,
    other_teachers,
    uncontrolled,
)
from train.compare.teacher import describe_teacher, first_taught, taught_by_others
from train.errors import UserError
from train.models.build import build_model, cost
from train.progress import progress
from train.splits import open_split

_WAIT_S = 600.0


def collect(config: CompareConfig, schedule: Schedule, plan: Plan, arguments: list[str]) -> Results:
    """Score every finished run, once, and gather what tables show.

    The test split is only looked at when nothing is left to train. Students without a baseline are left out.

    Raises:
        UserError: no run of a baseline is finished; a folder holds a training by another config.
    """
    schedule.check()
    is_finished = not any(True for _ in schedule.open())
    found = _all(schedule)
    shown = _with_a_baseline(config, found, is_finished)
    folders = [job.root for one in shown for job in one.finished]
    testing = config.test_split if is_finished else ""
    late = trained_later(config.root, testing, _names(config, folders)) if testing else []
    arms = [_arm(one, testing) for one in progress(shown, "scores", len(shown))]
    base = schedule.arms[0].arm.base
    val_set = open_split(base, base.data.val_split)
    environment = environment_of(folders)
    teacher = describe_teacher([one.arm for one in schedule.arms])
    shortfalls = _shortfalls(config, schedule, found, shown, teacher)
    return Results(
        name=config.name,
        command=shlex.join(["python", "-m", "train.compare", *arguments]),
        dataset=val_set.name,
        val_images=len(val_set),
        size=base.data.size,
        classes=val_set.classes,
        students=[_student(config, name, len(val_set.classes), arms) for name in _students(config, shown)],
        arms=arms,
        teacher=teacher,
        dimensions=_dimensions(config),
        seeds=plan.seeds,
        block=config.block,
        notes=[*plan.notes, *shortfalls, *later(late), *different_devices(environment["device"])],
        config=config.model_dump(mode="json", exclude_unset=True),
        environment=environment,
    )


def _with_a_baseline(config: CompareConfig, found: list["_Found"], is_finished: bool) -> list["_Found"]:
    based = {one.arm.student for one in found if one.arm.kind == "baseline" and one.finished}
    if not based:
        reason = "no training of it ended well" if is_finished else "train it first, without --no-train"
        raise UserError(f"{config.root}: there is no baseline to compare with: {reason}")
    return [one for one in found if one.arm.student in based and one.finished]


def _students(config: CompareConfig, shown: list["_Found"]) -> list[str]:
    based = {one.arm.student for one in shown}
    return [name for name in config.students if name in based]


def _shortfalls(
    config: CompareConfig,
    schedule: Schedule,
    found: list["_Found"],
    shown: list["_Found"],
    teacher: dict[str, Any] | None,
) -> list[str]:
    based = _students(config, shown)
    return [
        *chosen_on(config),
        *uncontrolled(config),
        *of_teachers([one.arm for one in schedule.arms]),
        *left_out([name for name in config.students if name not in based]),
        *(note for one in found if one.arm.student in based for note in one.missing),
        *_strangers(config, schedule, shown, teacher),
    ]


def _strangers(
    config: CompareConfig, schedule: Schedule, shown: list["_Found"], teacher: dict[str, Any] | None
) -> list[str]:
    taught = first_taught([one.arm for one in schedule.arms])
    if taught is None or teacher is None:
        return []
    alike = [one for one in shown if one.arm.base.teacher == taught.base.teacher]
    runs = taught_by_others([job.root for one in alike for job in one.finished], teacher["digest"])
    return other_teachers(_names(config, runs), teacher["title"])


def _names(config: CompareConfig, folders: Sequence[Path]) -> list[str]:
    return [str(folder.relative_to(config.root)) for folder in folders]


def _all(schedule: Schedule) -> list["_Found"]:
    """Each arm with its final runs, the control behind its baseline."""
    found = []
    for own in schedule.arms:
        found.append(_Found(own.arm, own, own.finals()))
        if own.has_control:
            found.append(_Found(longer(own.arm), own, schedule.control(own)))
    return found


@dataclass(frozen=True)
class _Found:
    arm: ArmConfig
    tuned: ArmSchedule
    finals: list[Job]

    @property
    def finished(self) -> list[Job]:
        return [job for job in self.finals if job.done and job.failure is None]

    @property
    def missing(self) -> list[str]:
        return missing(f"{self.arm.student} by {self.arm.method}", self.tuned, self.finals)


def _arm(found: _Found, test_split: str) -> Arm:
    arm = found.arm
    return Arm(
        student=arm.student,
        method=arm.method,
        kind=arm.kind,
        losses=[loss.name for loss in arm.base.losses],
        steps=found.finals[0].until,
        trials=[] if arm.kind == "longer" else found.tuned.trials() or [],
        parameters=found.tuned.best() or {},
        runs=[_scores(arm, job, arm.base.data.val_split) for job in found.finished],
        tested=[_scores(arm, job, test_split) for job in found.finished] if test_split else [],
    )


def _scores(arm: ArmConfig, job: Job, split: str) -> RunScores:
    with job.held(_WAIT_S):  # another machine may be about to write them
        return score_run(job.root, arm.comparison.root, split, arm.comparison.recipe.data.neighbour)


def _student(config: CompareConfig, name: str, classes: int, arms: list[Arm]) -> Student:
    size = cost(build_model(config.students[name], classes), config.recipe.data.size)
    run = next((arm.runs[0].run for arm in arms if arm.student == name and arm.runs), None)
    wanted = config.latency and run is not None
    latency = bundle_latency_ms(config.root / str(run), config.root / "bundles" / name) if wanted else None
    return Student(name, size.parameters, size.macs, latency)


def _dimensions(config: CompareConfig) -> list[Dimension]:
    spaces: dict[tuple[str, str], list[str]] = {}
    for method, own in config.methods.items():
        for key, dimension in {**config.tuning.search, **own.search}.items():
            text = ", ".join(map(str, dimension.choices))
            if not dimension.choices:
                text = f"{dimension.low:g} … {dimension.high:g}" + (", logarithmic" if dimension.log else "")
            spaces.setdefault((key, text), []).append(method)
    return [Dimension(key, methods, text) for (key, text), methods in spaces.items()]
