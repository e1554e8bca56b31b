import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.train.compare.tiny import tiny, tiny_config
from train.compare.arms import open_arms
from train.compare.collect import collect
from train.compare.config import CompareConfig
from train.compare.plan import Plan
from train.compare.results import Results
from train.compare.schedule import Schedule
from train.compare.worker import work
from train.errors import UserError

ALONE = {"methods": {"baseline": {}}, "tuning": {"trials": 1}, "longer": 0}
TWO = {"small": {"architecture": "plain_s"}, "other": {"architecture": "plain_s", "batchnorm_momentum": 0.2}}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def opened(config: CompareConfig) -> Schedule:
    return Schedule(open_arms(config), Plan(1, config.seeds))


def collected(config: CompareConfig) -> Results:
    return collect(config, opened(config), Plan(1, config.seeds), ["c.yaml"])


def trained(config: CompareConfig) -> CompareConfig:
    assert work(config, opened(config), math.inf)
    return config


def test_what_is_there_is_shown_and_what_is_not_is_said(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, **ALONE, students=TWO, test_split="test")
    with pytest.raises(UserError, match="no baseline to compare with: train it first"):
        collected(config)
    next(opened(config).open()).train()
    found = collected(config)
    assert [student.name for student in found.students] == ["small"]
    assert not any("There is no test split" in note for note in found.notes)
    assert [(arm.student, len(arm.runs), arm.tested) for arm in found.arms] == [("small", 1, [])]
    assert found.notes[2:] == [
        "other: no run of its baseline is there, and nothing of it can be compared.",
        "small by baseline: 1 of 2 seeds are there: 1 not trained yet.",
    ]
    assert "seed" not in found.environment


def test_who_joins_after_the_test_split_was_looked_at_is_named(tmp_path: Path) -> None:
    first, second = (tiny_config(tmp_path, **ALONE, test_split="test", seeds=seeds) for seeds in ([1], [1, 2]))
    assert [len(arm.tested) for arm in collected(trained(first)).arms] == [1]
    later = "The test split had been looked at before these were trained: small/baseline/seed-2."
    for _ in range(2):
        assert collected(trained(second)).notes[-1] == later


def test_a_failed_run_is_no_score(tmp_path: Path) -> None:
    config = tiny_config(tmp_path, **ALONE)
    first, second = opened(config).open()
    first.train()
    second.root.mkdir(parents=True)
    (second.root / "failure.txt").write_text("not finite", encoding="utf-8")
    found = collected(config)
    assert [run.seed for run in found.arms[0].runs] == [1]
    assert any(note.startswith("There is no test split: scores are of val") for note in found.notes)
    assert found.notes[-1] == "small by baseline: 1 of 2 seeds are there: the losses of 1 were no longer finite."


def test_a_teacher_that_was_trained_again_is_said_and_another_method_s_teacher_is_not(tmp_path: Path) -> None:
    alone = trained(tiny_config(tmp_path, **ALONE))
    for name, seed in (("one", 1), ("other", 2)):
        shutil.copytree(alone.root / f"small/baseline/seed-{seed}", tmp_path / name, symlinks=True)
    losses = [{"name": "cross_entropy"}, {"name": "kd"}]
    methods = {
        "baseline": {},
        "kd": {"config": {"losses": losses}},
        "kd2": {"config": {"losses": losses, "teacher": {"run": str(tmp_path / "other")}}},
    }
    recipe = tiny(tmp_path)["recipe"] | {"teacher": {"run": str(tmp_path / "one")}}
    changes = ALONE | {"name": "taught", "recipe": recipe, "methods": methods, "seeds": [1]}
    config = trained(tiny_config(tmp_path, **changes))
    said = "has other weights now than when it taught these: small/kd/seed-1."
    assert not any("other weights" in note for note in collected(config).notes)
    shutil.rmtree(tmp_path / "one")
    shutil.copytree(tmp_path / "other", tmp_path / "one", symlinks=True)
    assert [note for note in collected(config).notes if "other weights" in note] == [f"{tmp_path / 'one'} {said}"]


def test_runs_of_different_machines_are_not_taken_for_alike(tmp_path: Path) -> None:
    config = trained(tiny_config(tmp_path, **ALONE))
    path = config.root / "small/baseline/seed-2/env.json"
    environment: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**environment, "device": "another"}), encoding="utf-8")
    found = collected(config)
    assert found.environment["device"] == [environment["device"], "another"]
    assert found.environment["python"] == environment["python"]
    assert found.notes[-1] == "Not all was trained on the same device: times and energy of arms cannot be compared."
