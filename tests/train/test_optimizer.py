import math

import pytest
import torch
from torch import nn

from train.optimizer import OptimizerConfig, build_average, build_optimizer, learning_rate


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("poly", lambda progress: (1 - progress) ** 0.9),
        ("cosine", lambda progress: 0.5 * (1 + math.cos(math.pi * progress))),
    ],
)
def test_learning_rate_warms_up_and_decays(schedule: str, expected) -> None:  # type: ignore[no-untyped-def]
    config = OptimizerConfig(lr=0.5, schedule=schedule, warmup_steps=4, power=0.9)
    rates = [learning_rate(config, step, 24) for step in range(24)]
    assert rates[:4] == pytest.approx([0.125, 0.25, 0.375, 0.5])
    assert rates[4:] == pytest.approx([0.5 * expected(step / 20) for step in range(20)])
    assert rates[4:] == sorted(rates[4:], reverse=True)
    assert rates[-1] > 0


def test_learning_rate_without_warmup_starts_at_its_peak() -> None:
    assert learning_rate(OptimizerConfig(lr=0.5, warmup_steps=0), 0, 10) == 0.5


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_weights_decay_and_biases_and_normalisations_do_not(name: str) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    optimizer = build_optimizer(OptimizerConfig(name=name, lr=0.1, weight_decay=0.5), [network])
    for parameter in network.parameters():
        nn.init.ones_(parameter)
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    conv, norm = network
    assert (conv.weight < 1).all()
    for untouched in (conv.bias, norm.weight, norm.bias):
        assert (untouched == 1).all()


def test_adapters_are_optimised_too() -> None:
    network, adapter = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 8, 1)
    optimizer = build_optimizer(OptimizerConfig(), [network, adapter])
    optimised = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    assert optimised == {id(parameter) for module in (network, adapter) for parameter in module.parameters()}


def test_average_is_exponential_and_covers_buffers() -> None:
    network = nn.BatchNorm1d(1)
    average = build_average(OptimizerConfig(ema_decay=0.75), network)
    assert average is not None
    expected = 0.0
    for step, value in enumerate((8.0, 4.0, 12.0)):
        network.weight.data.fill_(value)
        network.running_mean.fill_(value)  # type: ignore[union-attr]
        average.update_parameters(network)
        expected = value if step == 0 else 0.75 * expected + 0.25 * value
    assert average.module.weight.item() == pytest.approx(expected)
    assert average.module.running_mean.item() == pytest.approx(expected)


def test_no_average_unless_asked_for() -> None:
    assert build_average(OptimizerConfig(), nn.Linear(1, 1)) is None
