import math
import statistics

import pytest
import torch
from torch import Tensor

from tests.train.losses.views import CLASSES, SHAPES, views
from train.losses.contract import Views
from train.losses.dist import DistConfig
from train.models.taps import Taps


def probabilities(logits: Tensor, valid: Tensor, tau: float) -> list[list[float]]:
    """A list of classes for each valid pixel of the batch."""
    found = []
    for n, y, x in valid.nonzero().tolist():
        exponentials = [math.exp(z / tau) for z in logits[n, :, y, x].tolist()]
        found.append([e / sum(exponentials) for e in exponentials])
    return found


@pytest.mark.parametrize("tau", [1.0, 3.0])
def test_value_is_that_of_the_formula(tau: float) -> None:
    seen = views()
    assert seen.teacher is not None
    assert seen.label is not None
    p, q = (probabilities(of.logits, seen.label[:, 2::4, 2::4] != 255, tau) for of in (seen.student, seen.teacher))
    inter = 1 - statistics.fmean(statistics.correlation(a, b) for a, b in zip(p, q, strict=True))
    columns = zip(zip(*p, strict=True), zip(*q, strict=True), strict=True)
    intra = 1 - statistics.fmean(statistics.correlation(a, b) for a, b in columns)
    terms = DistConfig(temperature=tau, inter_weight=2, intra_weight=0.5).build(SHAPES)(seen)
    assert terms["dist.inter"].item() == pytest.approx(2 * tau**2 * inter, rel=1e-9)
    assert terms["dist.intra"].item() == pytest.approx(0.5 * tau**2 * intra, rel=1e-9)


def test_a_teacher_that_is_sure_of_nothing_teaches_nothing() -> None:
    student, teacher = views().student, Taps({"logits": torch.zeros_like(views().student.logits)})
    terms = DistConfig().build(SHAPES)(Views(student, teacher))
    assert not any(terms.values())


def test_a_class_that_the_teacher_sees_nowhere_has_no_part() -> None:
    seen = views()
    assert seen.teacher is not None
    seen.teacher.logits[:, 0] = -1e4
    found = DistConfig().build(SHAPES)(seen)["dist.intra"].item()
    assert seen.label is not None
    valid = seen.label[:, 2::4, 2::4] != 255
    p, q = (probabilities(of.logits, valid, 1) for of in (seen.student, seen.teacher))
    columns = list(zip(zip(*p, strict=True), zip(*q, strict=True), strict=True))[1:]
    assert len(columns) == CLASSES - 1
    assert found == pytest.approx(1 - statistics.fmean(statistics.correlation(a, b) for a, b in columns), rel=1e-9)


def test_sharper_predictions_of_the_same_order_cost_less_than_other_ones() -> None:
    """The point of a correlation: a student may be less sure than its teacher."""
    seen = views()
    teacher = seen.student.logits
    softer, other = (Views(Taps({"logits": z}), Taps({"logits": teacher})) for z in (0.5 * teacher, -teacher))
    loss = DistConfig().build(SHAPES)
    assert sum(loss(softer).values()) < 0.2 * sum(loss(other).values())
