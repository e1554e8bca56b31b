import math

import pytest
import torch
from torch import Tensor

from kernels.pixel_kl import reference_pixel_kl
from tests.train.losses.views import SHAPES
from train.errors import UserError
from train.losses.contract import Views
from train.losses.wkd import Gap, WkdConfig, knowledge_gap
from train.models.taps import Taps

GAPS: tuple[Gap, ...] = ("probability", "absolute", "cross_entropy", "kl")


def taps(seed: int, *size: int) -> Taps:
    return Taps({"logits": 2 * torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)})


def label(batch: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(9)
    ids = torch.randint(0, 4, (batch, height, width), generator=generator, dtype=torch.uint8)
    return ids.masked_fill(torch.rand(ids.shape, generator=generator) < 0.3, 255)


def softmax(logits: list[float], tau: float) -> list[float]:
    exponentials = [math.exp(z / tau) for z in logits]
    return [value / sum(exponentials) for value in exponentials]


def naive(student: Tensor, teacher: Tensor, ids: Tensor, gap: Gap, tau: float, normalise: bool) -> float:
    """τ² Σ_i ĝ_i KL_i / #valid, a pixel and a class at a time."""
    gaps, divergences = [], []
    for n, y, x in (ids != 255).nonzero().tolist():
        p, q = (softmax(z[n, :, y, x].tolist(), tau) for z in (teacher, student))
        own_p, own_q = p[int(ids[n, y, x])], q[int(ids[n, y, x])]
        divergences.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
        forms = {
            "probability": max(0.0, own_p - own_q),
            "absolute": abs(own_p - own_q),
            "cross_entropy": max(0.0, -math.log(own_q) + math.log(own_p)),
            "kl": divergences[-1],
        }
        gaps.append(forms[gap])
    mean = sum(gaps) / len(gaps) if normalise else 1.0
    return tau**2 * sum(g / mean * kl for g, kl in zip(gaps, divergences, strict=True)) / len(gaps)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("tau", [1.0, 4.0])
@pytest.mark.parametrize("gap", GAPS)
def test_value(gap: Gap, tau: float, normalise: bool) -> None:
    student, teacher, ids = taps(1, 2, 4, 3, 5), taps(2, 2, 4, 3, 5), label(2, 12, 20)
    loss = WkdConfig(gap=gap, temperature=tau, normalise=normalise).build(SHAPES)(Views(student, teacher, ids))["wkd"]
    expected = naive(student.logits, teacher.logits, ids[:, 2::4, 2::4], gap, tau, normalise)
    assert loss.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("gap", GAPS)
def test_no_gradient_flows_through_the_gap(gap: Gap, normalise: bool) -> None:
    student, teacher, ids = taps(1, 2, 4, 3, 5).logits.requires_grad_(), taps(2, 2, 4, 3, 5).logits, label(2, 3, 5)
    views = Views(Taps({"logits": student}), Taps({"logits": teacher}), ids)
    WkdConfig(gap=gap, normalise=normalise).build(SHAPES)(views)["wkd"].backward()
    weight = knowledge_gap(student, teacher, ids, gap=gap)
    assert not weight.requires_grad
    constant = weight / weight[ids != 255].mean() if normalise else weight
    assert student.grad is not None
    (expected,) = torch.autograd.grad(reference_pixel_kl(student, teacher, ids, weight=constant), student)
    torch.testing.assert_close(student.grad, expected)


def test_pixels_where_the_student_is_better_count_nothing() -> None:
    ids = torch.tensor([[[1, 1, 255]]])
    teacher = torch.tensor([[[[0.0, 3.0, 0.0]], [[2.0, 0.0, 9.0]]]])
    student = torch.tensor([[[[3.0, 0.0, 9.0]], [[0.0, 2.0, 0.0]]]])
    gap = knowledge_gap(student, teacher, ids)
    assert gap[0, 0, 0] > 0.5
    assert gap[0, 0, 1] == 0


@pytest.mark.parametrize("gap", ["probability", "cross_entropy"])
def test_a_student_ahead_everywhere_has_no_loss(gap: Gap) -> None:
    ids = label(2, 3, 5)
    student = 9 * torch.nn.functional.one_hot(ids.long().clamp(max=3), 4).movedim(3, 1).double()
    student.requires_grad_()
    views = Views(Taps({"logits": student}), taps(2, 2, 4, 3, 5), ids)
    loss = WkdConfig(gap=gap).build(SHAPES)(views)["wkd"]
    loss.backward()
    assert loss == 0
    assert student.grad is not None
    assert not student.grad.any()


@pytest.mark.parametrize("gap", GAPS)
def test_the_smallest_gaps_have_a_finite_norm(gap: Gap) -> None:
    """Probabilities of 1e-40 on one pixel: the inverse of their sum is beyond fp32."""
    student = torch.tensor([[[[0.0]], [[-94.0]]]], requires_grad=True)
    views = Views(
        Taps({"logits": student}), Taps({"logits": torch.tensor([[[[0.0]], [[-92.0]]]])}), torch.ones(1, 1, 1)
    )
    loss = WkdConfig(gap=gap).build(SHAPES)(views)["wkd"]
    loss.backward()
    assert student.grad is not None
    assert loss.isfinite()
    assert student.grad.isfinite().all()


def test_the_kl_gap_needs_no_label() -> None:
    student, teacher = taps(1, 2, 4, 3, 5), taps(2, 2, 4, 3, 5)
    everywhere = torch.zeros(2, 3, 5, dtype=torch.uint8)
    loss = WkdConfig(gap="kl").build(SHAPES)(Views(student, teacher))["wkd"]
    expected = naive(student.logits, teacher.logits, everywhere, "kl", 1.0, True)
    assert loss.item() == pytest.approx(expected, rel=1e-10)
    assert not WkdConfig(gap="kl").needs.labels
    assert WkdConfig().needs.labels


def test_labels_are_asked_for_by_the_other_gaps() -> None:
    with pytest.raises(UserError, match="wkd with gap: absolute needs labels"):
        WkdConfig(gap="absolute").build(SHAPES)(Views(taps(1, 2, 4, 3, 5), taps(2, 2, 4, 3, 5)))


def test_other_classes_are_refused_with_both_shapes() -> None:
    with pytest.raises(UserError, match=r"\(2, 4, 3, 5\).*\(2, 19, 3, 5\)"):
        WkdConfig().build(SHAPES)(Views(taps(1, 2, 4, 3, 5), taps(2, 2, 19, 3, 5), label(2, 3, 5)))
