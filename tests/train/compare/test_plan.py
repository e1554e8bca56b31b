from pathlib import Path

import pytest
import torch

from tests.train.compare.tiny import tiny_config
from train.compare.arms import open_arms
from train.compare.pace import Pace
from train.compare.plan import Plan, budget_s, fitting, make_plan
from train.errors import UserError


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def planned(out: Path, budget: str) -> Plan:
    changes = {"seeds": [1, 2, 3, 4, 5], "tuning": {"trials": 400}, "methods": {"baseline": {}}}
    config = tiny_config(out, budget=budget, **changes)
    return make_plan(config, open_arms(config))


def test_what_fits_into_a_budget_is_planned_once_and_what_does_not_is_said(tmp_path: Path) -> None:
    plan = planned(tmp_path, "4s")
    assert 1 <= plan.trials < 400
    assert plan.seconds is not None
    assert plan.seconds <= 4
    assert f"The budget of 4s has room for {plan.trials} of 400 trials an arm" in plan.notes[0]
    assert planned(tmp_path, "4s") == plan
    whole = planned(tmp_path, "100d")
    assert (whole.trials, whole.seeds) == (400, [1, 2, 3, 4, 5])
    assert [note for note in whole.notes if "budget" in note] == []


def test_a_budget_without_room_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one trial and one seed of 1 arms take"):
        planned(tmp_path, "0.001s")


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("1.5m", 90), ("8h", 28800), ("", float("inf"))])
def test_budgets_have_units(tmp_path: Path, text: str, seconds: float) -> None:
    assert budget_s(tiny_config(tmp_path, budget=text)) == seconds


def test_what_so_few_seeds_can_show_is_that_of_students_t() -> None:
    assert "above about 2.5 times" in Plan(trials=1, seeds=[1, 2, 3], asked=(1, 3)).notes[-1]
    assert "With one seed no difference" in Plan(trials=1, seeds=[1], asked=(1, 1)).notes[-1]


def test_a_budget_spares_seeds_beyond_three_then_trials_then_the_other_seeds(tmp_path: Path) -> None:
    # Each training takes 4 s: a trial alone, half of them to its middle.
    tuning = {"trials": 8, "stopping": {"after": 0.5, "keep": 0.5}}
    found = []
    for budget in (1000, 40, 36, 35, 20, 15, 8):
        config = tiny_config(tmp_path, methods={"baseline": {}}, longer=0, seeds=[1, 2, 3, 4], tuning=tuning)
        plan = fitting(config, open_arms(config), [Pace(1.0, 0.0, 0.0)], Plan(8, [1, 2, 3, 4], asked=(8, 4)), budget)
        found.append((plan.trials, len(plan.seeds), plan.seconds))
    assert found == [(8, 4, 40), (8, 4, 40), (8, 3, 36), (7, 3, 34), (2, 3, 18), (1, 3, 12), (1, 2, 8)]


def test_the_control_is_planned_as_long_as_the_dearest_method(tmp_path: Path) -> None:
    for longer, seconds in ((None, 4 + 40 + 40), (2, 4 + 40 + 8), (0, 4 + 40)):
        config = tiny_config(tmp_path, tuning={"trials": 1}, seeds=[1], longer=longer)
        paces = [Pace(1.0, 0.0, 0.0), Pace(10.0, 0.0, 0.0)]
        assert fitting(config, open_arms(config), paces, Plan(1, [1], asked=(1, 1)), 3600).seconds == seconds


def test_a_plan_of_other_seeds_is_another(tmp_path: Path) -> None:
    first, second = (
        tiny_config(tmp_path, methods={"baseline": {}}, seeds=seeds, budget="1h") for seeds in ([1, 2], [3, 4])
    )
    assert make_plan(first, open_arms(first)).seeds == [1, 2]
    assert make_plan(second, open_arms(second)).seeds == [3, 4]
