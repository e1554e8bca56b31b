import math

import pytest
import torch

from tests.train.losses.views import CLASSES, SHAPES, views
from train.errors import UserError
from train.losses.contract import Views
from train.losses.dkd import DkdConfig
from train.losses.kd import KdConfig
from train.models.taps import Taps


def parts(teacher: list[float], student: list[float], true: int, tau: float) -> tuple[float, float]:
    """Divergences of (true class, rest) and within the rest, with their τ²."""
    p, q = ([math.exp(z / tau) for z in logits] for logits in (teacher, student))
    p, q = ([v / sum(values) for v in values] for values in (p, q))
    target = p[true] * math.log(p[true] / q[true]) + (1 - p[true]) * math.log((1 - p[true]) / (1 - q[true]))
    others = [c for c in range(len(p)) if c != true]
    rest = [(p[c] / (1 - p[true]), q[c] / (1 - q[true])) for c in others]
    return tau**2 * target, tau**2 * sum(a * math.log(a / b) for a, b in rest)


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_value_is_that_of_the_formula(tau: float) -> None:
    seen = views()
    assert seen.teacher is not None
    assert seen.label is not None
    ids = seen.label[:, 2::4, 2::4]
    found = [
        parts(
            seen.teacher.logits[n, :, y, x].tolist(), seen.student.logits[n, :, y, x].tolist(), int(ids[n, y, x]), tau
        )
        for n, y, x in (ids != 255).nonzero().tolist()
    ]
    target, others = (sum(values) / len(found) for values in zip(*found, strict=True))
    terms = DkdConfig(temperature=tau, target_weight=0.5).build(SHAPES)(seen)
    assert terms["dkd.target"].item() == pytest.approx(0.5 * target, rel=1e-9)
    assert terms["dkd.non_target"].item() == pytest.approx(2 * others, rel=1e-9)


def test_together_the_parts_are_kd_where_the_teachers_confidence_weighs_the_second() -> None:
    """KL = KL(true class, rest) + (1 - p_y) KL(rest), for one pixel."""
    seen = views(1, 1, 1)
    assert seen.teacher is not None
    assert seen.label is not None
    rest = 1 - seen.teacher.logits.softmax(1)[0, seen.label[0, 2, 2].long(), 0, 0]
    terms = DkdConfig(non_target_weight=1).build(SHAPES)(seen)
    expected = KdConfig().build(SHAPES)(seen)["kd"]
    torch.testing.assert_close(terms["dkd.target"] + rest * terms["dkd.non_target"], expected)


def test_a_teacher_that_is_sure_still_tells_of_the_other_classes() -> None:
    student, label = torch.zeros(1, CLASSES, 1, 1), torch.zeros(1, 1, 1, dtype=torch.uint8)
    teacher = torch.tensor([1e4, 3.0, 0.0, 0.0]).view(1, CLASSES, 1, 1)
    views = Views(Taps({"logits": student}), Taps({"logits": teacher}), label)
    expected = parts([0, 3, 0, 0], [0, 0, 0, 0], 0, 1)[1]
    assert DkdConfig(non_target_weight=1).build(SHAPES)(views)["dkd.non_target"].item() == pytest.approx(expected)


def test_labels_are_asked_for() -> None:
    seen = views()
    with pytest.raises(UserError, match="dkd needs labels"):
        DkdConfig().build(SHAPES)(Views(seen.student, seen.teacher, None))
