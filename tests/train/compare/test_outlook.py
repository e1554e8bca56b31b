import json
from pathlib import Path

import pytest

from tests.train.compare.tiny import tiny_config
from train.compare import outlook as tested
from train.compare.arms import open_arms
from train.compare.job import Job
from train.compare.outlook import Outlook
from train.compare.plan import make_plan
from train.compare.schedule import Schedule
from train.run_directory import RunDirectory


def schedule(out: Path) -> Schedule:
    """Two arms of two runs of 4 steps, and a control of two runs of 8."""
    config = tiny_config(out, tuning={"trials": 1}, longer=2)
    arms = open_arms(config)
    return Schedule(arms, make_plan(config, arms))


def trained(job: Job, step: int, seconds: float) -> None:
    RunDirectory(job.root).step(step).mkdir(parents=True, exist_ok=True)
    record = {"step": step, "miou": 0.5, "seconds": seconds}
    RunDirectory(job.root).metrics.write_text(json.dumps(record) + "\n", encoding="utf-8")


def test_nothing_is_said_of_the_time_before_a_step_is_timed(tmp_path: Path) -> None:
    planned = schedule(tmp_path)
    job = next(planned.open())
    assert Outlook(planned, 1).line(job).startswith("[0 of 6 trainings are done] next: tiny/small/baseline/seed-1 to")


def test_what_is_left_is_counted_at_the_pace_of_each_arm(tmp_path: Path) -> None:
    planned = schedule(tmp_path)
    baseline, method = (arm.finals() for arm in planned.arms)
    trained(baseline[0], 4, 40.0)
    # 4 steps of the baseline and 16 of its control at 10 s; the 8 of the method are taken for as quick.
    assert "[1 of 6 trainings are done, more than 4 min 40 s left]" in Outlook(planned, 1).line(baseline[1])
    trained(method[0], 2, 60.0)
    # Now the method is known: 6 steps at 30 s.
    assert "[1 of 6 trainings are done, about 6 min 20 s left]" in Outlook(planned, 1).line(baseline[1])
    assert "about 3 min 10 s left" in Outlook(planned, 2).line(baseline[1])


def test_how_many_train_side_by_side_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(tested.time, "monotonic", lambda: now)
    planned = schedule(tmp_path)
    baseline, method = (arm.finals() for arm in planned.arms)
    said = Outlook(planned, 1)
    now = 100.0
    trained(baseline[0], 4, 100.0)
    trained(method[0], 4, 100.0)
    # 100 s for 4 steps: 4 and 16 of the baseline and 4 of the method are left, and two train at a time.
    assert "[2 of 6 trainings are done, about 5 min 00 s left]" in said.line(baseline[1])
