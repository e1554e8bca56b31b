"""The search leaves in float what has to be, and no more."""

from collections.abc import Sequence

import pytest

from export.int8.layers import Layer
from export.int8.score import Loss
from export.int8.search import search
from train.errors import UserError

LAYERS = [Layer(f"tensor {index}", (f"node {index}",), f"layer {index}", "3x3") for index in range(40)]


def losing(costs: dict[int, float]):
    """Losses that add up: those of the layers in INT8."""

    def loss_of(kept: Sequence[Layer]) -> Loss:
        return Loss(agreement=sum(cost for index, cost in costs.items() if LAYERS[index] not in kept), miou=None)

    return loss_of


def found(costs: dict[int, float], max_drop: float, ranked: Sequence[Layer] = LAYERS) -> list[int]:
    loss_of = losing(costs)
    kept = search(ranked, loss_of([]), loss_of, max_drop)
    assert loss_of(kept).points <= max_drop
    return sorted(LAYERS.index(layer) for layer in kept)


def test_nothing_is_kept_where_nothing_is_lost() -> None:
    assert found({}, 0.0) == []
    assert found({3: 0.4}, 0.5) == []


@pytest.mark.parametrize("count", [1, 2, 3, 7, 20, 38, 39])
def test_the_shortest_beginning(count: int) -> None:
    assert found(dict.fromkeys(range(count), 1.0), 0.5) == list(range(count))


def test_what_ranks_high_but_costs_nothing_together_goes_back_into_int8() -> None:
    assert found({2: 1.0, 9: 1.0}, 0.5) == [2, 9]


def test_a_single_layer_can_be_all_that_is_needed() -> None:
    assert found({0: 1.0}, 0.5, LAYERS[:2]) == [0]


def test_what_cannot_be_met_says_how_far_it_came() -> None:
    with pytest.raises(UserError, match=r"all 40 layers in INT8 lose 40\.00 points.*layer 39 alone still 1\.00 points"):
        found(dict.fromkeys(range(40), 1.0), 0.5)


def test_it_takes_a_logarithm_of_measurements() -> None:
    calls = 0
    costs = losing({0: 1.0})

    def loss_of(kept: Sequence[Layer]) -> Loss:
        nonlocal calls
        calls += 1
        return costs(kept)

    assert search(LAYERS, costs([]), loss_of, 0.5) == LAYERS[:1]
    assert calls <= 8
