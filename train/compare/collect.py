"""From the folders of a comparison to what it has found."""

import json
import shlex

from train.compare.arm_schedule import ArmSchedule
from train.compare.arms import ArmConfig, longer
from train.compare.config import CompareConfig
from train.compare.job import Job
from train.compare.latency import bundle_latency_ms
from train.compare.plan import Plan
from train.compare.results import Arm, Dimension, Results, RunScores, Student
from train.compare.schedule import Schedule
from train.compare.scoring import score_run
from train.compare.teacher import describe_teacher
from train.errors import UserError
from train.models.build import build_model, cost
from train.progress import progress
from train.run_directory import RunDirectory
from train.splits import open_split


def collect(config: CompareConfig, schedule: Schedule, plan: Plan, arguments: list[str]) -> Results:
    """Score every finished run, once, and gather what tables show.

    The test split is only looked at when nothing is left to train.

    Raises:
        UserError: no run of a baseline is finished yet.
    """
    testing = config.test_split if not any(True for _ in schedule.open()) else ""
    arms = [_arm(found, testing) for found in progress(_all(schedule), "scores", len(_all(schedule)))]
    missing = [arm for arm in arms if len(arm.runs) < len(plan.seeds)]
    if any(arm.kind == "baseline" and not arm.runs for arm in arms):
        raise UserError(f"{config.root}: no baseline is trained yet: run the same command again to go on")
    base = schedule.arms[0].arm.base
    val_set = open_split(base, base.data.val_split)
    first = RunDirectory(config.root / next(arm for arm in arms if arm.runs).runs[0].run)
    return Results(
        name=config.name,
        command=shlex.join(["python", "-m", "train.compare", *arguments]),
        dataset=val_set.name,
        val_images=len(val_set),
        size=base.data.size,
        classes=val_set.classes,
        students=[_student(config, name, len(val_set.classes), arms) for name in config.students],
        arms=[arm for arm in arms if arm.runs],
        teacher=describe_teacher([found.arm for found in schedule.arms]),
        dimensions=_dimensions(config),
        seeds=plan.seeds,
        block=config.block,
        notes=[*plan.notes, *_uncontrolled(config), *(_unfinished(arm, plan) for arm in missing)],
        config=config.model_dump(mode="json", exclude_unset=True),
        environment=json.loads((first.root / "env.json").read_text(encoding="utf-8")),
    )


def _all(schedule: Schedule) -> list["_Found"]:
    """Each arm with its final runs, the control behind its baseline."""
    found = []
    for own in schedule.arms:
        found.append(_Found(own.arm, own, own.finals()))
        if own.has_control:
            found.append(_Found(longer(own.arm), own, schedule.control(own)))
    return found


class _Found:
    def __init__(self, arm: ArmConfig, tuned: ArmSchedule, finals: list[Job]) -> None:
        self.arm, self.tuned, self.finals = arm, tuned, finals


def _arm(found: _Found, test_split: str) -> Arm:
    arm, finished = found.arm, [job for job in found.finals if job.done and job.failure is None]
    is_control = arm.kind == "longer"
    return Arm(
        student=arm.student,
        method=arm.method,
        kind=arm.kind,
        losses=[loss.name for loss in arm.base.losses],
        steps=found.finals[0].until if found.finals else arm.base.loop.steps,
        trials=[] if is_control else found.tuned.trials() or [],
        parameters=found.tuned.best() or {},
        runs=[_scores(arm, job, arm.base.data.val_split) for job in finished],
        tested=[_scores(arm, job, test_split) for job in finished] if test_split else [],
    )


def _scores(arm: ArmConfig, job: Job, split: str) -> RunScores:
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


def _uncontrolled(config: CompareConfig) -> list[str]:
    """What the control would have shown."""
    said = "No baseline is trained for longer: what the time of a dearer method gives without the method is not shown."
    return [] if config.control or len(config.methods) == 1 else [said]


def _unfinished(arm: Arm, plan: Plan) -> str:
    where = f"{arm.student} by {arm.method}"
    failed = sum(not trial.miou for trial in arm.trials)
    trials = f" Of its trials {failed} failed: their losses were no longer finite." if failed else ""
    if not arm.runs:
        return f"{where} has no run that ended well.{trials}"
    return f"{where}: {len(arm.runs)} of {len(plan.seeds)} seeds are there.{trials}"
