import math

import pytest
import torch
from torch import Tensor

from kernels import channel_kl


def naive(student: Tensor, teacher: Tensor, valid: Tensor, tau: float) -> float:
    """The formula, an image, a channel and a pixel at a time."""
    total, images, channels = 0.0, 0, student.shape[1]
    for n in range(student.shape[0]):
        if not valid[n].any():
            continue
        images += 1
        for c in range(channels):
            p = softmax([float(z) / tau for z in teacher[n, c][valid[n]]])
            q = softmax([float(z) / tau for z in student[n, c][valid[n]]])
            total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return tau**2 / channels * total / images


def softmax(values: list[float]) -> list[float]:
    exponentials = [math.exp(value - max(values)) for value in values]
    return [value / sum(exponentials) for value in exponentials]


def rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def label() -> Tensor:
    label = (255 * (rand(3, 3, 4, 5) < 0.3)).to(torch.uint8)
    label[1] = 255
    return label


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_is_the_mean_over_channels_and_labelled_images(label: Tensor, temperature: float) -> None:
    student, teacher = 9 * rand(1, 3, 2, 4, 5), 9 * rand(2, 3, 2, 4, 5)
    loss = channel_kl(student, teacher, label, temperature=temperature)
    assert loss.item() == pytest.approx(naive(student, teacher, label != 255, temperature), rel=1e-12)


def test_scales_multiply_the_maps(label: Tensor) -> None:
    student, teacher = 9 * rand(1, 3, 2, 4, 5), 9 * rand(2, 3, 2, 4, 5)
    s_student, s_teacher, channel = rand(4, 3, 4, 5), rand(5, 3, 4, 5), rand(6, 3, 2)
    loss = channel_kl(
        student, teacher, label, student_scale=s_student, teacher_scale=s_teacher, teacher_channel_scale=channel
    )
    scaled_teacher = teacher * s_teacher[:, None] * channel[:, :, None, None]
    expected = naive(student * s_student[:, None], scaled_teacher, label != 255, 4.0)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_a_constant_added_to_a_channel_changes_nothing(label: Tensor) -> None:
    student, teacher = rand(1, 3, 2, 4, 5), rand(2, 3, 2, 4, 5)
    loss = channel_kl(student + torch.tensor([7.0, -5.0])[:, None, None], teacher, label)
    torch.testing.assert_close(loss, channel_kl(student, teacher, label))
