import math
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import attention_kl
from kernels.attention_kl import reference_attention_kl


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ignore_some(batch: int, height: int, width: int) -> Tensor:
    return (255 * (torch.rand(batch, height, width, generator=torch.Generator().manual_seed(9)) < 0.3)).byte()


def softmax(values: list[float]) -> list[float]:
    exponentials = [math.exp(value - max(values)) for value in values]
    return [value / sum(exponentials) for value in exponentials]


def naive(student: Tensor, teacher: Tensor, valid: Tensor, tau: float, across: bool) -> float:
    """The formula, a query and a key at a time."""
    pixels: list[list[tuple[Tensor, Tensor]]] = [
        [(student[n, :, y, x], teacher[n, :, y, x]) for y, x in valid[n].nonzero().tolist()] for n in range(len(valid))
    ]
    if across:
        pixels = [[pair for image in pixels for pair in image]]
    divergences = []
    for image in pixels:
        for q_s, q_t in image:
            p = softmax([float(q_t @ k_t) / tau for _, k_t in image])
            q = softmax([float(q_s @ k_s) / tau for k_s, _ in image])
            divergences.append(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True)))
    return sum(divergences) / len(divergences)


@pytest.mark.parametrize("across_images", [False, True])
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_is_the_mean_over_valid_queries(across_images: bool, temperature: float) -> None:
    student, teacher, label = randn(1, 2, 3, 3, 4), randn(2, 2, 5, 3, 4), ignore_some(2, 3, 4)
    expected = naive(student, teacher, label != 255, temperature, across_images)
    for loss in (attention_kl, reference_attention_kl):
        value = loss(student, teacher, label, temperature=temperature, across_images=across_images)
        assert value.item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("across_images", [False, True])
def test_keys_of_another_frame(across_images: bool) -> None:
    student, teacher, label = randn(1, 2, 3, 3, 4), randn(2, 2, 5, 3, 4), ignore_some(2, 3, 4)
    keys: dict[str, Any] = {
        "student_keys": randn(3, 2, 3, 2, 5),
        "teacher_keys": randn(4, 2, 5, 2, 5),
        "label_keys": ignore_some(2, 2, 5),
        "across_images": across_images,
    }
    torch.testing.assert_close(
        attention_kl(student, teacher, label, **keys), reference_attention_kl(student, teacher, label, **keys)
    )


def test_gradient_is_that_of_the_value() -> None:
    teacher, teacher_keys, label = randn(2, 2, 5, 2, 3), randn(4, 2, 5, 3, 2), ignore_some(2, 2, 3)

    def between_frames(student: Tensor, student_keys: Tensor) -> Tensor:
        return 3 * attention_kl(student, teacher, label, student_keys=student_keys, teacher_keys=teacher_keys)

    student, keys = randn(1, 2, 3, 2, 3).requires_grad_(), randn(3, 2, 3, 3, 2).requires_grad_()
    assert torch.autograd.gradcheck(between_frames, (student, keys))
    assert torch.autograd.gradcheck(lambda student: 3 * attention_kl(student, teacher, label), student)


def test_keys_of_the_student_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="student_keys and teacher_keys go together"):
        attention_kl(randn(1, 1, 3, 2, 2), randn(2, 1, 3, 2, 2), student_keys=randn(3, 1, 3, 2, 2))
