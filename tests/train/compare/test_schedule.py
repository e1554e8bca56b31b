import json
import math
import shutil
from pathlib import Path

import optuna
import pytest
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from tests.train.compare.tiny import LR, tiny_config
from train.compare.arm_schedule import ArmSchedule
from train.compare.arms import open_arms
from train.compare.config import CompareConfig
from train.compare.job import Job
from train.compare.plan import Plan, make_plan
from train.compare.schedule import Schedule
from train.compare.study import STORAGE
from train.compare.worker import work
from train.run_directory import RunDirectory


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def opened(config: CompareConfig) -> Schedule:
    arms = open_arms(config)
    return Schedule(arms, make_plan(config, arms))


def studied(config: CompareConfig, name: str) -> list[optuna.trial.FrozenTrial]:
    storage = JournalStorage(JournalFileBackend(str(config.root / STORAGE)))
    return optuna.load_study(study_name=f"{config.name}/{name}", storage=storage).get_trials()


def finished(job: Job, seconds: float) -> None:
    """As a training leaves it behind."""
    record = {"step": job.until, "miou": 0.5, "seconds": seconds}
    RunDirectory(job.root).step(job.until).mkdir(parents=True, exist_ok=True)
    RunDirectory(job.root).metrics.write_text(json.dumps(record) + "\n", encoding="utf-8")


ALONE = {"methods": {"baseline": {}}}


def test_the_better_half_goes_on_and_the_best_is_trained_with_each_seed(tmp_path: Path) -> None:
    tuning = {"trials": 3, "search": {"optimizer.lr": LR}, "stopping": {"after": 0.5, "keep": 0.34}}
    config = tiny_config(tmp_path, **ALONE, tuning=tuning)
    assert work(config, opened(config), math.inf)
    (arm,) = opened(config).arms
    trials = arm.trials()
    assert trials is not None
    assert sorted(map(len, (trial.miou for trial in trials))) == [1, 2, 2]
    whole = [trial for trial in trials if not trial.stopped]
    ranked = sorted(trials, key=lambda trial: -trial.miou[2])
    assert {trial.point for trial in whole} == {trial.point for trial in ranked[:2]}
    best = max(whole, key=lambda trial: max(trial.miou.values()))
    configs = [RunDirectory(job.root).config() for job in arm.finals()]
    assert [run.seed for run in configs] == [1, 2]
    assert {run.optimizer.lr for run in configs} == {best.parameters["optimizer.lr"]}
    control = opened(config).control(arm)
    assert [(job.until, job.done) for job in control] == [(6, True)] * 2
    states = [trial.state for trial in studied(config, "small/baseline")]
    assert sorted(states) == [TrialState.COMPLETE, TrialState.COMPLETE, TrialState.PRUNED]
    assert not list(opened(config).open())


def test_a_trial_whose_numbers_end_is_left_out(tmp_path: Path) -> None:
    tuning = {"trials": 2, "search": {"optimizer.lr": {"low": 1e20, "high": 1e21}}, "stopping": None}
    config = tiny_config(tmp_path, **ALONE, tuning=tuning, optimizer={"clip_norm": 0.0}, seeds=[1], longer=1)
    assert work(config, opened(config), math.inf)
    (arm,) = opened(config).arms
    assert (arm.trial(1, 4).failure or "").count("not finite") == 1
    assert arm.best() == {"optimizer.lr": 2e-3}
    assert [trial.state for trial in studied(config, "small/baseline")] == [TrialState.COMPLETE, TrialState.FAIL]


def test_a_comparison_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    whole, killed = (tiny_config(tmp_path / name, **ALONE, seeds=[1]) for name in ("whole", "killed"))
    assert work(whole, opened(whole), math.inf)
    schedule = opened(killed)
    first = next(schedule.open())
    first.train()
    assert work(killed, opened(killed), math.inf)
    scores = [[job.miou for job in opened(config).arms[0].finals()] for config in (whole, killed)]
    assert scores[0] == scores[1]
    # A run that is lost is made again, and nothing else.
    lost = opened(killed).arms[0].finals()[0]
    shutil.rmtree(lost.root)
    assert [job.root for job in opened(killed).open()] == [lost.root]


def test_nothing_is_begun_when_the_time_is_over(tmp_path: Path) -> None:
    config = tiny_config(tmp_path)
    assert not work(config, opened(config), -math.inf)
    assert not config.root.exists()


def test_where_there_is_nothing_to_choose_nothing_is_tried(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, tuning={"trials": 1})
    names = [Path(job.config.name).name for job in opened(config).open()]
    assert names == ["seed-1", "seed-2"] * 2 + ["seed-1-6", "seed-2-6"]


def test_the_control_can_be_left_out(tmp_path: Path) -> None:
    schedule = opened(tiny_config(tmp_path, tuning={"trials": 1}, longer=0))
    assert [job.config.name for job in schedule.open()] == [
        f"tiny/small/{name}/seed-{n}" for name in ("baseline", "upright") for n in (1, 2)
    ]
    assert [schedule.count(arm) for arm in schedule.arms] == [2, 2]


def test_trials_that_are_ranked_at_their_end_are_not_ended_early(tmp_path: Path) -> None:
    (arm,) = opened(tiny_config(tmp_path, **ALONE, tuning={"stopping": {"after": 0.9}})).arms
    assert arm.arm.rank_after == arm.steps
    assert arm.arm.kept(4) == 4


def test_what_fewer_trials_have_tuned_are_other_runs(tmp_path: Path) -> None:
    arms = open_arms(tiny_config(tmp_path, **ALONE, tuning={"trials": 3}, longer=2))
    (few,) = Schedule(arms, Plan(1, [1])).arms
    assert few.run_of(1) == "seed-1-of-1-trials"
    assert ArmSchedule(arms[0], Plan(3, [1])).run_of(1) == "seed-1"
    (control,) = Schedule(arms, Plan(1, [1])).control(few)
    assert control.root.name == "seed-1-of-1-trials-8"


def test_the_next_seed_hardly_changes_the_control(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, tuning={"trials": 1}, seeds=[1], longer=None)
    arms = opened(config).arms
    found = []
    for seconds in (10.0, 10.2):
        for arm, taken in zip(arms, (8.0, seconds), strict=True):
            finished(arm.finals()[0], taken)
        found += [job.until for job in opened(config).control(arms[0])]
    assert found == [5, 5]  # 1.25 and 1.3 times 4
