"""The tables that let others check a comparison: what was searched, every trial, every run, and where."""

from typing import Any

from train.compare.output.wording import parameters, points
from train.compare.results import Arm, Dimension, Results, RunScores, TrialRecord
from train.flat_config import flat_config
from train.quantities import duration
from train.table import NOTHING, Table


def record_tables(results: Results) -> list[Table]:
    """All of them."""
    tables = [search_space(results), chosen(results), trials(results), runs(results)]
    return [*tables, environment(results)]


def search_space(results: Results) -> Table:
    """What the tuning could choose from."""
    methods = {arm.method for arm in results.arms if arm.kind != "longer"}
    rows = [[one.key, one.values, _searching(one, methods)] for one in results.dimensions]
    return Table("Search space", ["key", "values", "searched by"], rows)


def chosen(results: Results) -> Table:
    """What the final runs were trained with."""
    rows = [[_name(arm), ", ".join(arm.losses), str(arm.steps), parameters(arm.parameters)] for arm in results.arms]
    return Table("Chosen parameters", ["arm", "losses", "steps", "parameters"], rows)


def trials(results: Results) -> Table:
    """Every trial, also those that were ended early."""
    head = ["arm", "point", "parameters", "mIoU on val, by step", "", "time", "run"]
    return Table("Trials", head, [_trial(arm, trial) for arm in results.arms for trial in arm.trials])


def runs(results: Results) -> Table:
    """Every final run, on each split that it was scored on."""
    head = ["arm", "seed", "split", "mIoU, best", "at step", "mIoU, last", "mAcc", "run", "digest"]
    rows = []
    for arm in results.arms:
        for split, scored in (("val", arm.runs), ("test", arm.tested)):
            rows += [[_name(arm), str(run.seed), split, *_run(run)] for run in scored]
    return Table("Runs", head, rows)


def environment(results: Results) -> Table:
    """What the figures were made on, and with."""
    height, width = results.size
    values: dict[str, Any] = {
        "dataset": results.dataset,
        "images of the val split": results.val_images,
        "size of an image": f"{height} × {width}",
        "seeds": ", ".join(map(str, results.seeds)),
        "neighbouring images drawn together": results.block,
        "teacher": _teacher(results.teacher),
        **flat_config(results.environment),
    }
    return Table("Environment", ["", "value"], [[name, str(value)] for name, value in values.items()])


def _teacher(teacher: dict[str, Any] | None) -> str:
    return NOTHING if teacher is None else f"{teacher['title']}, weights {teacher['digest']}"


def _searching(dimension: Dimension, methods: set[str]) -> str:
    return "all" if methods <= set(dimension.methods) else ", ".join(dimension.methods)


def _trial(arm: Arm, trial: TrialRecord) -> list[str]:
    by_step = ", ".join(f"{step}: {points(miou)}" for step, miou in trial.miou.items())
    if trial.stopped:
        end = "ended early"
    elif not trial.miou:
        end = "no score"
    else:
        end = "chosen" if trial.parameters == arm.parameters else ""
    time = NOTHING if trial.seconds is None else duration(trial.seconds)
    return [_name(arm), str(trial.point), parameters(trial.parameters), by_step or NOTHING, end, time, trial.run]


def _run(run: RunScores) -> list[str]:
    shares = [points(run.miou), str(run.step), points(run.last_miou), points(run.macc)]
    return [*shares, run.run, run.digest]


def _name(arm: Arm) -> str:
    return f"{arm.student} {arm.method}"
