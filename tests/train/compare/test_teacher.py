import json
import shutil
from pathlib import Path

import torch

from tests.train.compare.tiny import tiny, tiny_config
from train.compare.arms import open_arms
from train.compare.plan import Plan
from train.compare.schedule import Schedule
from train.compare.teacher import describe_teacher, taught_by_others


def test_a_teacher_that_was_trained_again_is_looked_at_again(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    alone = tiny_config(tmp_path, methods={"baseline": {}}, tuning={"trials": 1}, longer=0)
    one, other = Schedule(open_arms(alone), Plan(1, alone.seeds)).open()
    recipe = tiny(tmp_path)["recipe"] | {"teacher": {"run": str(tmp_path / "teacher")}}
    methods = {"baseline": {}, "kd": {"config": {"losses": [{"name": "cross_entropy"}, {"name": "kd"}]}}}
    taught = open_arms(tiny_config(tmp_path, recipe=recipe, methods=methods))
    found = []
    for job in (one, other):
        job.train()
        shutil.rmtree(tmp_path / "teacher", ignore_errors=True)
        shutil.copytree(job.root, tmp_path / "teacher", symlinks=True)
        found.append(describe_teacher(taught))
        assert found[-1] == describe_teacher(taught)
    assert [len(one["digest"]) for one in found if one] == [12, 12]
    assert found[0] != found[1]


def test_runs_of_another_teacher_are_found(tmp_path: Path) -> None:
    runs = [tmp_path / name for name in ("alone", "before", "now", "old")]
    for run, environment in zip(runs, ({"teacher": None}, {"teacher": "a"}, {"teacher": "b"}, {}), strict=True):
        run.mkdir()
        (run / "env.json").write_text(json.dumps(environment), encoding="utf-8")
    assert taught_by_others(runs, "b") == [tmp_path / "before"]
