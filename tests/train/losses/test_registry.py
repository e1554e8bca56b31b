import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from train.errors import UserError
from train.losses.contract import FusedChannels, Schedule
from train.losses.cross_entropy import CrossEntropyConfig
from train.losses.fckd import FckdConfig
from train.losses.kd import KdConfig
from train.losses.registry import AnyLossConfig, LossSum
from train.models.taps import Taps


def taps(seed: int) -> Taps:
    generator = torch.Generator().manual_seed(seed)
    return Taps([], torch.randn(1, 5, 4, 4, generator=generator), torch.randn(1, 3, 4, 4, generator=generator))


@pytest.fixture
def label() -> Tensor:
    return torch.randint(0, 3, (1, 8, 8), generator=torch.Generator().manual_seed(0))


def test_losses_are_chosen_by_name() -> None:
    configs = TypeAdapter(list[AnyLossConfig]).validate_python(
        [{"name": "cross_entropy"}, {"name": "fckd", "polarity": "uncertain", "weight": 0.5}]
    )
    assert configs == [CrossEntropyConfig(), FckdConfig(polarity="uncertain", weight=0.5)]


@pytest.mark.parametrize("bad", [{"name": "kd", "temprature": 2}, {"name": "kdd"}, {"name": "kd", "temperature": 0}])
def test_a_bad_setting_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AnyLossConfig).validate_python(bad)


def test_the_total_is_the_sum_of_the_weighted_terms(label: Tensor) -> None:
    losses = LossSum([CrossEntropyConfig(weight=2), KdConfig(weight=0.5), FckdConfig()], FusedChannels(5, 5))
    total, terms = losses(taps(1), taps(2), label, 0, 10)
    assert list(terms) == ["cross_entropy", "kd", "fckd.spatial", "fckd.channel"]
    torch.testing.assert_close(total, torch.stack(list(terms.values())).sum())
    alone = KdConfig().build(None)(taps(1), taps(2), label)["kd"]
    torch.testing.assert_close(terms["kd"], 0.5 * alone)


def test_a_schedule_scales_the_weight(label: Tensor) -> None:
    losses = LossSum([KdConfig(schedule=Schedule(kind="warmup", steps=4))], FusedChannels(5, 5))
    values = [losses(taps(1), taps(2), label, step, 100)[0].item() for step in (0, 1, 4, 50)]
    assert values == pytest.approx([0, values[3] / 4, values[3], values[3]])
    assert values[3] > 0


def test_the_second_loss_of_a_name_is_numbered(label: Tensor) -> None:
    losses = LossSum([FckdConfig(), KdConfig(), FckdConfig(kappa=0), FckdConfig(kappa=2)], FusedChannels(5, 5))
    _, terms = losses(taps(1), taps(2), label, 0, 10)
    assert list(terms) == [
        "fckd.spatial",
        "fckd.channel",
        "kd",
        "fckd_2.spatial",
        "fckd_2.channel",
        "fckd_3.spatial",
        "fckd_3.channel",
    ]


def test_adapters_are_its_parameters() -> None:
    losses = LossSum([CrossEntropyConfig(), FckdConfig(on="features")], FusedChannels(5, 7))
    assert sum(parameter.numel() for parameter in losses.parameters()) == 5 * 7 + 2 * 7
    assert not list(LossSum([FckdConfig()], FusedChannels(5, 7)).parameters())


def test_a_teacher_is_needed_only_for_distillation(label: Tensor) -> None:
    alone = LossSum([CrossEntropyConfig()], None)
    assert not alone.needs_teacher
    assert alone(taps(1), None, label, 0, 10)[0] > 0
    assert LossSum([CrossEntropyConfig(), KdConfig()], FusedChannels(5, 5)).needs_teacher


def test_no_loss_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="losses"):
        LossSum([], None)
