import fcntl
import json
import shutil
from pathlib import Path

import pytest
import torch

from tests.train.compare.tiny import LR, tiny_config
from train.compare.arms import open_arms
from train.compare.job import Job
from train.compare.plan import make_plan
from train.compare.schedule import Schedule
from train.data.open import open_dataset
from train.errors import UserError
from train.run_directory import open_run


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def jobs(out: Path, **changes: object) -> list[Job]:
    given = {"methods": {"baseline": {}}, "tuning": {"trials": 2, "search": {"optimizer.lr": LR}}, **changes}
    config = tiny_config(out, **given)
    arms = open_arms(config)
    return list(Schedule(arms, make_plan(config, arms)).open())


def begun(job: Job) -> None:
    """A run's folder with its config, and with the classes of its dataset."""
    dataset = open_dataset(job.config.data, "val")
    data = job.config.data.model_copy(update={"classes": dataset.classes, "palette": dataset.palette})
    open_run(job.config.model_copy(update={"data": data}))


def test_a_training_that_another_process_has_is_left_to_it(tmp_path: Path) -> None:
    job = jobs(tmp_path)[0]
    job.root.parent.mkdir(parents=True)
    with (job.root.parent / f".{job.root.name}.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with job.held() as held:
            assert not held
    with job.held() as held:
        assert held


def test_who_is_killed_before_the_last_checkpoint_is_there_is_not_done(tmp_path: Path) -> None:
    job = jobs(tmp_path)[1]
    job.train()
    assert job.done
    (checkpoint,) = job.root.glob("checkpoints/step-*")
    shutil.rmtree(checkpoint)
    for link in ("last", "best"):
        (job.root / "checkpoints" / link).unlink()
    assert not job.done
    job.train()
    assert job.done
    assert list(job.miou) == [2]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"optimizer": {"lr": 0.003}, "tuning": {"trials": 2, "search": {}}}, "optimizer.lr"),
        ({"tuning": {"trials": 5, "search": {"optimizer.lr": LR}}}, "optimizer.lr"),
        ({"students": {"small": {"architecture": "plain_m"}}}, "model.architecture"),
    ],
)
def test_a_training_by_another_config_does_not_pass_for_this_one(
    tmp_path: Path, changes: dict[str, object], key: str
) -> None:
    job = jobs(tmp_path)[1]
    begun(job)
    job.check()
    with pytest.raises(UserError, match=f"trial-01: was trained with another .*{key}"):
        jobs(tmp_path, **changes)[1].check()


def test_steps_are_those_on_record(tmp_path: Path) -> None:
    job = jobs(tmp_path)[0]
    assert job.steps == 0
    job.root.mkdir(parents=True)
    lines = [{"step": 1, "losses": {}}, {"step": 2, "miou": 0.1}, {"step": 3, "losses": {}}]
    (job.root / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    assert job.steps == 2
    assert Job(job.config, 4).steps == 3
