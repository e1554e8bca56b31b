import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from tests.train.losses.views import SHAPES, views
from train.losses.afd import Afd, AfdConfig
from train.losses.contract import Needs

TWO = ("fused", "pre_classifier")


def built(config: AfdConfig) -> Afd:
    torch.manual_seed(0)
    return config.build(SHAPES).double().eval()


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def refined(teacher: Tensor, pixels: list[list[int]]) -> list[list[float]]:
    """The teacher's features at the pixels of an image, gated by channel, then by pixel."""
    channels = [[float(channel[y, x]) for y, x in pixels] for channel in teacher]
    channels = [[v * sigmoid(sum(c) / len(c) + max(c)) for v in c] for c in channels]
    return [[v * sigmoid(max(p) + sum(p) / len(p)) for v in p] for p in zip(*channels, strict=True)]


def distance(one: list[float], other: list[float]) -> float:
    return sum((a / math.hypot(*one) - b / math.hypot(*other)) ** 2 for a, b in zip(one, other, strict=True))


def test_value_is_that_of_the_formula() -> None:
    loss, seen = built(AfdConfig(student_taps=TWO, teacher_taps=TWO)), views()
    assert seen.teacher is not None
    assert seen.label is not None
    valid, expected = seen.label[:, 2::4, 2::4] != 255, 0.0
    for tap, attention, adapter in zip(TWO, loss.attentions, loss.adapters, strict=True):
        own = adapter(attention(seen.student[tap], valid))
        for n in range(len(valid)):
            pixels = valid[n].nonzero().tolist()
            wanted = [v for pixel in refined(seen.teacher[tap][n], pixels) for v in pixel]
            shown = [v for y, x in pixels for v in own[n, :, y, x].tolist()]
            expected += distance(shown, wanted) / len(valid)
    assert loss(seen)["afd"].item() == pytest.approx(expected, rel=1e-9)


def test_attention_and_adapters_learn() -> None:
    loss = built(AfdConfig()).train()
    loss(views())["afd"].backward()
    assert all(parameter.grad is not None for parameter in loss.parameters())
    assert all(adapter[0].weight.grad.any() for adapter in loss.adapters)
    assert all(attention.spatial[0].weight.grad.any() for attention in loss.attentions)


def test_needs_are_the_taps() -> None:
    needs = AfdConfig(student_taps=("stride:8",), teacher_taps=("stride:16",)).needs
    assert needs == Needs(student=frozenset({"stride:8"}), teacher=frozenset({"stride:16"}), adapter=True)


def test_a_map_without_its_counterpart_is_refused() -> None:
    with pytest.raises(ValidationError, match="1 student_taps and 2 teacher_taps"):
        AfdConfig(student_taps=("fused",), teacher_taps=TWO)
