import math

import pytest
import torch
from torch import Tensor

from tests.train.losses.views import SHAPES, views
from train.errors import UserError
from train.losses.contract import Needs, Views
from train.losses.cwd import CwdConfig
from train.models.taps import Taps


def naive(student: Tensor, teacher: Tensor, valid: Tensor, tau: float) -> float:
    """τ² · mean over images and channels of Σ_i p log(p / q), a channel and a pixel at a time."""
    divergences = []
    for n in range(student.shape[0]):
        pixels = valid[n].nonzero().tolist()
        for c in range(student.shape[1]):
            p, q = ([math.exp(m[n, c, y, x].item() / tau) for y, x in pixels] for m in (teacher, student))
            pairs = [(a / sum(p), b / sum(q)) for a, b in zip(p, q, strict=True)]
            divergences.append(sum(a * math.log(a / b) for a, b in pairs))
    return tau**2 * sum(divergences) / len(divergences)


@pytest.mark.parametrize("tau", [4.0, 1.5])
def test_value_on_logits_is_that_of_the_formula(tau: float) -> None:
    seen = views()
    assert seen.teacher is not None
    assert seen.label is not None
    expected = naive(seen.student.logits, seen.teacher.logits, seen.label[:, 2::4, 2::4] != 255, tau)
    assert CwdConfig(temperature=tau).build(SHAPES)(seen)["cwd"].item() == pytest.approx(expected, rel=1e-9)


def test_value_on_features_is_that_of_the_formula() -> None:
    seen, loss = views(), CwdConfig(on="features").build(SHAPES).double()
    assert seen.teacher is not None
    assert seen.label is not None
    assert loss.adapter is not None
    adapted = loss.adapter(seen.student["fused"]).detach()
    expected = naive(adapted, seen.teacher["fused"], seen.label[:, 2::4, 2::4] != 255, 4)
    found = loss(seen)["cwd"]
    assert found.item() == pytest.approx(expected, rel=1e-9)
    found.backward()
    # The shift of a batch norm is a constant of each channel, which the softmax does not see.
    assert all(parameter.grad is not None for parameter in loss.parameters())
    assert loss.adapter[0].weight.grad.any()


def test_weight_is_the_published_one_of_what_is_compared() -> None:
    assert CwdConfig().weight == 3
    assert CwdConfig(on="features").weight == 50
    assert CwdConfig(on="features", weight=7).weight == 7


def test_needs_follow_what_is_compared() -> None:
    logits, fused = frozenset({"logits"}), frozenset({"fused"})
    assert CwdConfig().needs == Needs(student=logits, teacher=logits)
    assert CwdConfig(on="features").needs == Needs(student=fused, teacher=fused, adapter=True)


def test_other_classes_are_refused_with_both_shapes() -> None:
    student, teacher = (Taps({"logits": torch.zeros(1, classes, 2, 2)}) for classes in (4, 11))
    with pytest.raises(UserError, match=r"\(1, 4, 2, 2\).*\(1, 11, 2, 2\)"):
        CwdConfig().build(SHAPES)(Views(student, teacher))
