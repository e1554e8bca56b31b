import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.train.losses.views import SHAPES
from train.errors import UserError
from train.losses.contract import Views
from train.losses.kd import KdConfig
from train.models.taps import Taps


def taps(seed: int, *size: int) -> Taps:
    logits = 3 * torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Taps({"fused": logits, "logits": logits})


def naive(student: Tensor, teacher: Tensor, valid: Tensor, tau: float) -> float:
    """τ² · mean of Σ_c p log(p / q), a pixel and a class at a time."""
    divergences = []
    for n, y, x in valid.nonzero().tolist():
        p, q = ([math.exp(z / tau) for z in logits[n, :, y, x].tolist()] for logits in (teacher, student))
        pairs = [(a / sum(p), b / sum(q)) for a, b in zip(p, q, strict=True)]
        divergences.append(sum(a * math.log(a / b) for a, b in pairs))
    return tau**2 * sum(divergences) / len(divergences)


def label(batch: int, height: int, width: int) -> Tensor:
    return (255 * (torch.rand(batch, height, width, generator=torch.Generator().manual_seed(9)) < 0.4)).byte()


@pytest.mark.parametrize("tau", [1.0, 4.0])
def test_at_the_logits_own_resolution(tau: float) -> None:
    student, teacher, ids = taps(1, 2, 4, 3, 5), taps(2, 2, 4, 3, 5), label(2, 12, 20)
    loss = KdConfig(temperature=tau).build(SHAPES)(Views(student, teacher, ids))["kd"]
    centres = ids[:, 2::4, 2::4] != 255
    assert loss.item() == pytest.approx(naive(student.logits, teacher.logits, centres, tau), rel=1e-12)


def test_at_the_labels_resolution() -> None:
    student, teacher, ids = taps(1, 2, 4, 2, 3), taps(2, 2, 4, 3, 2), label(2, 5, 6)
    loss = KdConfig(resolution="label").build(SHAPES)(Views(student, teacher, ids))["kd"]
    upsampled = (F.interpolate(of.logits, (5, 6), mode="bilinear") for of in (student, teacher))
    assert loss.item() == pytest.approx(naive(*upsampled, ids != 255, 1.0), rel=1e-12)


def test_unlabelled_images_count_whole() -> None:
    student, teacher = taps(1, 2, 4, 3, 5), taps(2, 2, 4, 3, 5)
    loss = KdConfig().build(SHAPES)(Views(student, teacher, None))["kd"]
    assert loss.item() == pytest.approx(naive(student.logits, teacher.logits, torch.ones(2, 3, 5), 1.0), rel=1e-12)


def test_a_teacher_of_another_stride_is_resized_to_the_student() -> None:
    student, teacher = taps(1, 1, 4, 4, 6), taps(2, 1, 4, 2, 3)
    resized = F.interpolate(teacher.logits, (4, 6), mode="bilinear")
    loss = KdConfig().build(SHAPES)(Views(student, teacher, None))["kd"]
    assert loss.item() == pytest.approx(naive(student.logits, resized, torch.ones(1, 4, 6), 1.0), rel=1e-12)


def test_other_classes_are_refused_with_both_shapes() -> None:
    with pytest.raises(UserError, match=r"\(2, 4, 3, 5\).*\(2, 19, 3, 5\)"):
        KdConfig().build(SHAPES)(Views(taps(1, 2, 4, 3, 5), taps(2, 2, 19, 3, 5), None))


def test_a_teacher_is_asked_for() -> None:
    with pytest.raises(UserError, match="kd needs a teacher"):
        KdConfig().build(SHAPES)(Views(taps(1, 2, 4, 3, 5), None, None))


def test_labels_are_asked_for_at_their_resolution() -> None:
    with pytest.raises(UserError, match="needs labels"):
        KdConfig(resolution="label").build(SHAPES)(Views(taps(1, 2, 4, 3, 5), taps(2, 2, 4, 3, 5), None))
