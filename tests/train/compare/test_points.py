import math

import pytest

from train.compare.config import DimensionConfig
from train.compare.points import search_points, values_at, with_values
from train.errors import UserError

RATE = DimensionConfig(low=1e-3, high=1e-1, log=True)
WEIGHT = DimensionConfig(low=0.0, high=10.0)
CONFIG = {"optimizer": {"lr": 0.01}, "losses": [{"name": "cross_entropy"}, {"name": "kd", "weight": 1.0}]}


def test_the_first_point_is_the_config_as_it_is() -> None:
    start = {"optimizer.lr": 5.0}
    assert search_points({"optimizer.lr": RATE}, start, 3, seed=0)[0] == start


def test_each_key_is_spread_evenly_over_its_range() -> None:
    points = search_points({"lr": RATE, "weight": WEIGHT}, {"lr": 1, "weight": 1}, 9, seed=3)[1:]
    assert sorted(int(8 * point["weight"] / 10) for point in points) == list(range(8))
    assert sorted(int(4 * (math.log10(point["lr"]) + 3)) for point in points) == list(range(8))


def test_arms_try_the_same_values_of_the_keys_that_they_share() -> None:
    alone = search_points({"optimizer.lr": RATE}, {"optimizer.lr": 1}, 5, seed=0)
    beside = search_points({"a": WEIGHT, "optimizer.lr": RATE}, {"a": 1, "optimizer.lr": 1}, 5, seed=0)
    assert [point["optimizer.lr"] for point in alone] == [point["optimizer.lr"] for point in beside]
    other_seed = search_points({"optimizer.lr": RATE}, {"optimizer.lr": 1}, 5, seed=1)
    assert alone[1:] != other_seed[1:]


def test_choices_are_all_tried_where_there_are_trials_enough() -> None:
    space = {"t": DimensionConfig(choices=[1, 2, 4])}
    assert {point["t"] for point in search_points(space, {"t": 1}, 4, seed=0)[1:]} == {1, 2, 4}


def test_values_are_read_and_set_by_key_and_name_of_the_loss() -> None:
    keys = {"optimizer.lr": RATE, "losses.kd.weight": WEIGHT}
    assert values_at(CONFIG, keys) == {"optimizer.lr": 0.01, "losses.kd.weight": 1.0}
    changed = with_values(CONFIG, {"losses.kd.weight": 3.0})
    assert changed["losses"][1]["weight"] == 3.0
    assert CONFIG["losses"][1]["weight"] == 1.0


@pytest.mark.parametrize("key", ["losses.cwd.weight", "optimizer.rate", "optimizer.lr.x", "lr"])
def test_a_key_that_there_is_not_is_named(key: str) -> None:
    with pytest.raises(UserError, match=f"search: {key}: the training's config has no such key"):
        with_values(CONFIG, {key: 1.0})


def test_a_range_wants_a_number_to_start_at() -> None:
    space = {"data.crop": DimensionConfig(low=1, high=2)}
    with pytest.raises(UserError, match=r"data\.crop: the config has None there, which is in no range: give choices"):
        search_points(space, {"data.crop": None}, 2, 0)  # type: ignore[dict-item]
