import math
from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import cka
from kernels.cka import reference_cka

MODES = ["token", "released", "debiased"]


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def centred(samples: list[list[float]]) -> list[list[float]]:
    means = [sum(column) / len(samples) for column in zip(*samples, strict=True)]
    return [[value - mean for value, mean in zip(sample, means, strict=True)] for sample in samples]


def cross(y: list[list[float]], x: list[list[float]]) -> float:
    """‖YᵀX‖², entry by entry."""
    columns_y, columns_x = list(zip(*y, strict=True)), list(zip(*x, strict=True))
    return sum(sum(a * b for a, b in zip(cy, cx, strict=True)) ** 2 for cy in columns_y for cx in columns_x)


def naive(x: list[list[float]], y: list[list[float]]) -> float:
    x, y = centred(x), centred(y)
    return cross(y, x) / math.sqrt(cross(x, x) * cross(y, y))


def naive_unbiased_hsic(k: list[list[float]], m: list[list[float]]) -> float:
    """The sums over distinct indices that make the estimator unbiased."""
    n = range(len(k))
    two = sum(k[i][j] * m[i][j] for i in n for j in n if i != j)
    three = sum(k[i][j] * m[i][q] for i in n for j in n for q in n if len({i, j, q}) == 3)
    four = sum(k[i][j] * m[q][r] for i in n for j in n for q in n for r in n if len({i, j, q, r}) == 4)
    count = len(k)
    return two / math.perm(count, 2) - 2 * three / math.perm(count, 3) + four / math.perm(count, 4)


def gram(samples: list[list[float]]) -> list[list[float]]:
    return [[sum(a * b for a, b in zip(one, other, strict=True)) for other in samples] for one in samples]


def test_tokens_are_the_valid_pixels_of_the_batch() -> None:
    student, teacher = randn(1, 2, 3, 3, 4), randn(2, 2, 5, 3, 4)
    label = (255 * (randn(3, 2, 3, 4) < -0.5)).to(torch.uint8)
    valid = label != 255
    x, y = (features.permute(0, 2, 3, 1)[valid].tolist() for features in (student, teacher))
    assert cka(student, teacher, label).item() == pytest.approx(naive(x, y), rel=1e-10)


def test_released_takes_an_image_as_a_sample() -> None:
    student, teacher = randn(1, 4, 3, 2, 2), randn(2, 4, 5, 2, 2)
    expected = naive(student.flatten(1).tolist(), teacher.flatten(1).tolist())
    assert cka(student, teacher, mode="released").item() == pytest.approx(expected, rel=1e-10)


def test_debiased_is_made_of_sums_over_distinct_images() -> None:
    student, teacher = randn(1, 6, 3, 2, 2), randn(2, 6, 5, 2, 2)
    k, m = (gram(features.flatten(1).tolist()) for features in (student, teacher))
    own = naive_unbiased_hsic(k, k) * naive_unbiased_hsic(m, m)
    expected = naive_unbiased_hsic(k, m) / math.sqrt(own)
    assert cka(student, teacher, mode="debiased").item() == pytest.approx(expected, rel=1e-10)


def test_few_images_look_alike_unless_debiased() -> None:
    values = {
        mode: sum(cka(randn(seed, 8, 16, 4, 4), randn(-seed, 8, 16, 4, 4), mode=mode).item() for seed in range(1, 11))
        for mode in MODES
    }
    assert values["released"] / 10 > 0.9
    assert abs(values["debiased"] / 10) < 0.1
    assert values["token"] / 10 < 0.2


@pytest.mark.parametrize("mode", MODES)
def test_gradient_is_that_of_the_value(mode: Any) -> None:
    student, teacher = randn(1, 5, 2, 2, 2).requires_grad_(), randn(2, 5, 3, 2, 2)
    assert torch.autograd.gradcheck(lambda student: cka(student, teacher, mode=mode), student)


@pytest.mark.parametrize("mode", MODES)
def test_agrees_with_the_trace_formula(mode: Any) -> None:
    student, teacher = randn(1, 5, 3, 4, 2), randn(2, 5, 4, 4, 2)
    label = (255 * (randn(3, 5, 4, 2) < -0.5)).to(torch.uint8)
    torch.testing.assert_close(
        cka(student, teacher, label, mode=mode), reference_cka(student, teacher, label, mode=mode)
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_rotation_a_scale_and_a_shift_are_no_difference(mode: Any) -> None:
    student = randn(1, 5, 3, 2, 4)
    rotation = torch.linalg.qr(randn(2, 6, 6)).Q[:, :3]
    teacher = 3 * torch.einsum("ab,nbhw->nahw", rotation, student) + 5
    assert cka(student, teacher, mode=mode).item() == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize(("mode", "least"), [("released", 3), ("debiased", 4)])
def test_too_few_images_are_refused(mode: Any, least: int) -> None:
    with pytest.raises(ValueError, match=f"{least} or more; got {least - 1}"):
        cka(randn(1, least - 1, 2, 2, 2), randn(2, least - 1, 2, 2, 2), mode=mode)
    assert cka(randn(1, least, 2, 2, 2), randn(2, least, 2, 2, 2), mode=mode).isfinite()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
def test_constant_features_are_aligned_with_nothing(mode: Any, dtype: torch.dtype) -> None:
    student = torch.full((4, 3, 2, 2), 0.3, dtype=dtype).requires_grad_()
    value = cka(student, randn(1, 4, 3, 2, 2).to(dtype), mode=mode)
    (gradient,) = torch.autograd.grad(value, student)
    assert value.item() == pytest.approx(0, abs=1e-3)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("mode", MODES)
def test_features_far_from_zero_lose_nothing(mode: Any) -> None:
    student, teacher = randn(1, 6, 4, 8, 8), randn(2, 6, 4, 8, 8)
    expected = cka(student, teacher, mode=mode).item()
    found = cka((student + 100).float(), (teacher - 100).float(), mode=mode).item()
    assert found == pytest.approx(expected, rel=1e-2, abs=1e-4)
