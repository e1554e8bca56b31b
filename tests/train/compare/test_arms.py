from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.train.compare.tiny import tiny, tiny_config
from train.compare import __main__ as compare
from train.compare.arms import open_arms
from train.errors import UserError

KD = {"config": {"losses": [{"name": "cross_entropy"}, {"name": "kd"}]}}
BOTH = {"kd": KD, "baseline": {}}


def upright_with(key: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"methods": {"baseline": {}, "upright": {key: values}}}


def test_each_student_has_its_baseline_first_and_the_methods_own_keys(tmp_path: Path) -> None:
    students = {"s": {"architecture": "plain_s"}, "m": {"architecture": "plain_m"}}
    recipe = tiny(tmp_path)["recipe"] | {"teacher": {"run": "runs/teacher"}}
    arms = open_arms(tiny_config(tmp_path, methods=BOTH, students=students, recipe=recipe))
    assert [(arm.name, arm.kind) for arm in arms] == [
        ("s/baseline", "baseline"),
        ("s/kd", "method"),
        ("m/baseline", "baseline"),
        ("m/kd", "method"),
    ]
    assert [loss.name for loss in arms[1].base.losses] == ["cross_entropy", "kd"]
    assert arms[2].base.model.architecture == "plain_m"


def test_only_who_listens_has_a_teacher(tmp_path: Path) -> None:
    recipe = tiny(tmp_path)["recipe"] | {"teacher": {"run": "runs/teacher"}}
    alone, taught = open_arms(tiny_config(tmp_path, methods=BOTH, recipe=recipe))
    assert alone.base.teacher is None
    assert taught.base.teacher is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": {"a": {}}}, "baseline: 'baseline' is none of the methods: a"),
        ({"methods": {"baseline": {}, "baseline-longer": {}}}, "'baseline-longer' is the name of the control"),
        ({"methods": {"baseline": KD}}, "the baseline has a loss that needs a teacher"),
        ({"methods": BOTH}, "methods.kd: has a loss that needs a teacher: give one with recipe.teacher"),
        ({"methods": {"baseline": {"config": {"optimizer": {"lrr": 3}}}}}, "unknown key 'optimizer.lrr': did you mean"),
        (upright_with("config", {"loop": {"steps": 8}}), "methods.upright.config: loop.steps: is the same for all"),
        (
            upright_with("config", {"model": None}),
            "methods.upright.config: model: is the same for all that is compared",
        ),
        (upright_with("search", {"loop.steps": {"choices": [8]}}), "methods.upright.search: loop.steps: is the same"),
        ({"tuning": {"search": {"seed": {"choices": [3]}}}}, "tuning.search: seed: is the same for all"),
        ({"test_split": "val"}, "test_split: 'val' is trained on, or chosen on"),
        ({"test_split": "nosuch"}, "test_split: data: streets has the splits train, val, test, not 'nosuch'"),
        ({"methods": {"baseline": {"search": {"losses.kd.weight": {"low": 1, "high": 2}}}}}, "losses.kd.weight: the"),
        ({"block": 3}, "block: 3: streets/val has 4 images, and there must be two blocks at least"),
        ({"seeds": [1, 1]}, "seeds: one is there twice"),
        ({"seeds": [0]}, "0 is the seed of the tuning"),
        ({"longer": 0.5}, "longer: 0.5 times the steps are fewer: give 1 or more, or 0 for no control"),
        ({"budget": "8 hours"}, "budget"),
        ({"tuning": {"search": {"optimizer.lr": {"low": 2, "high": 1}}}}, "give low and a greater high"),
        ({"tuning": {"search": {"optimizer.lr": {"low": 0, "high": 1, "log": True}}}}, "starts above 0"),
        ({"tuning": {"search": {"optimizer.lr": {"low": 1, "choices": [2]}}}}, "not both"),
        ({"tuning": {"search": {"optimizer.lr": {"low": -1, "high": -0.5}}}}, "optimizer.lr"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_trained(
    tmp_path: Path, cli: Any, changes: dict[str, Any], message: str
) -> None:
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(tiny(tmp_path, **changes)), encoding="utf-8")
    ended = cli(compare.main, [str(tmp_path / "c.yaml")])
    assert ended.code == 2
    assert message in ended.err
    assert len(ended.err.splitlines()) == 1
    assert "'recipe'" not in ended.err  # no dump of all that was given
    assert not (tmp_path / "tiny").exists()


def test_a_value_that_the_training_refuses_names_the_point(tmp_path: Path) -> None:
    search = {"optimizer.lr": {"low": -2.0, "high": -1.0}}
    with pytest.raises(UserError, match=r"small/baseline with \{'optimizer.lr': -1"):
        open_arms(tiny_config(tmp_path, tuning={"trials": 2, "search": search}))
