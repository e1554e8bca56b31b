import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import pixel_kl


def naive(
    student: Tensor, teacher: Tensor, valid: Tensor, tau: float, s_student: Tensor, s_teacher: Tensor, weight: Tensor
) -> tuple[float, float]:
    """(τ² Σ w KL, Σ w), a pixel and a class at a time."""
    total = norm = 0.0
    for n, y, x in valid.nonzero().tolist():
        p = softmax([float(s_teacher[n, y, x] * z) / tau for z in teacher[n, :, y, x]])
        q = softmax([float(s_student[n, y, x] * z) / tau for z in student[n, :, y, x]])
        divergence = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        total += float(weight[n, y, x]) * tau**2 * divergence
        norm += float(weight[n, y, x])
    return total, norm


def softmax(values: list[float]) -> list[float]:
    exponentials = [math.exp(value - max(values)) for value in values]
    return [value / sum(exponentials) for value in exponentials]


@pytest.fixture
def maps() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    return {
        "student": 6 * rand(2, 5, 3, 4) - 3,
        "teacher": 6 * rand(2, 5, 3, 4) - 3,
        "label": (255 * (rand(2, 3, 4) < 0.3)).to(torch.uint8),
        "student_scale": rand(2, 3, 4),
        "teacher_scale": 2 * rand(2, 3, 4),
        "weight": rand(2, 3, 4),
    }


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_is_the_mean_over_valid_pixels(maps: dict[str, Tensor], temperature: float) -> None:
    student, teacher, label = maps["student"], maps["teacher"], maps["label"]
    ones = torch.ones(label.shape)
    total, _ = naive(student, teacher, label != 255, temperature, ones, ones, ones)
    loss = pixel_kl(student, teacher, label, temperature=temperature)
    assert loss.item() == pytest.approx(total / (label != 255).sum().item(), rel=1e-12)


@pytest.mark.parametrize("mean_over", ["valid", "weight"])
def test_scales_and_weights(maps: dict[str, Tensor], mean_over: str) -> None:
    valid = maps["label"] != 255
    total, weights = naive(
        maps["student"], maps["teacher"], valid, 2.0, maps["student_scale"], maps["teacher_scale"], maps["weight"]
    )
    loss = pixel_kl(**maps, temperature=2.0, mean_over=mean_over)
    norm = weights if mean_over == "weight" else valid.sum().item()
    assert loss.item() == pytest.approx(total / norm, rel=1e-12)


@pytest.mark.parametrize("align_corners", [False, True])
def test_upsampling_gives_the_loss_of_the_upsampled_logits(maps: dict[str, Tensor], align_corners: bool) -> None:
    size = (7, 9)
    label = torch.zeros(2, *size, dtype=torch.uint8)
    label[:, :3] = 255
    student, teacher = (
        F.interpolate(logits, size, mode="bilinear", align_corners=align_corners)
        for logits in (maps["student"], maps["teacher"][:, :, :2])
    )
    loss = pixel_kl(maps["student"], maps["teacher"][:, :, :2], label, size=size, align_corners=align_corners)
    torch.testing.assert_close(loss, pixel_kl(student, teacher, label))


def test_weights_that_sum_to_zero_give_zero(maps: dict[str, Tensor]) -> None:
    student = maps["student"].requires_grad_()
    loss = pixel_kl(student, maps["teacher"], weight=torch.zeros(2, 3, 4), mean_over="weight")
    loss.backward()
    assert loss == 0
    assert student.grad is not None
    assert not student.grad.any()


def test_a_label_of_another_size_is_refused(maps: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match=r"\(2, 6, 8\).*\(2, 3, 4\)"):
        pixel_kl(maps["student"], maps["teacher"], torch.zeros(2, 6, 8))
