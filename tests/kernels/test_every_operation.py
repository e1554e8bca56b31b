"""What every loss operation promises, whatever its formula."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from kernels import channel_kl, condensation, cross_entropy, pixel_kl

BATCH, CLASSES, HEIGHT, WIDTH = 3, 4, 5, 6
HALVES = [torch.float16, torch.bfloat16]


@dataclass(frozen=True)
class Case:
    name: str
    loss: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    zero_at_teacher: bool = True
    label_stride: int = 1
    needs_label: bool = False

    def label(self, batch: int, height: int, width: int) -> Tensor:
        size = (batch, height * self.label_stride, width * self.label_stride)
        label = torch.randint(0, CLASSES, size, generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
        label[torch.rand(size, generator=torch.Generator().manual_seed(4)) < 0.2] = 255
        return label


def scale(teacher: Tensor) -> Tensor:
    return teacher.detach().double().std(1)


def scaled_pixel_kl(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    return pixel_kl(
        student, teacher, label, temperature=2, student_scale=scale(teacher), teacher_scale=2 * scale(teacher)
    )


def weighted_pixel_kl(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    return pixel_kl(student, teacher, label, weight=scale(teacher), mean_over="weight")


def upsampled_pixel_kl(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    size = (student.shape[2] * 2, student.shape[3] * 2)
    return pixel_kl(student, teacher, label, temperature=2, size=size)


def condensed_channel_kl(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    matrix, _, channel = condensation(teacher, label)
    return channel_kl(
        student, teacher, label, student_scale=matrix, teacher_scale=matrix, teacher_channel_scale=channel
    )


def label_cross_entropy(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    del teacher
    assert label is not None
    return cross_entropy(student, label)


CASES = [
    Case("pixel_kl", pixel_kl),
    Case("pixel_kl, scales", scaled_pixel_kl, zero_at_teacher=False),
    Case("pixel_kl, weights", weighted_pixel_kl),
    Case("pixel_kl, upsampled", upsampled_pixel_kl, label_stride=2),
    Case("channel_kl", channel_kl),
    Case("channel_kl, scales", condensed_channel_kl, zero_at_teacher=False),
    Case("cross_entropy", label_cross_entropy, zero_at_teacher=False, needs_label=True),
    Case("cross_entropy, upsampled", label_cross_entropy, zero_at_teacher=False, label_stride=2, needs_label=True),
]


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def logits(
    seed: int, batch: int = BATCH, height: int = HEIGHT, width: int = WIDTH, dtype: torch.dtype = torch.float64
) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (3 * torch.randn(batch, CLASSES, height, width, generator=generator, dtype=torch.float64)).to(dtype)


def loss_and_gradient(case: Case, student: Tensor, teacher: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
    leaf = student.detach().requires_grad_()
    loss = case.loss(leaf, teacher, label)
    (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.detach(), gradient


def test_gradient_is_that_of_the_value(case: Case) -> None:
    label = case.label(2, 2, 3)
    student, teacher = logits(1, 2, 2, 3).requires_grad_(), logits(2, 2, 2, 3)
    assert torch.autograd.gradcheck(lambda student: case.loss(student, teacher, label), student)


def test_no_gradient_reaches_the_teacher(case: Case) -> None:
    student, teacher = logits(1).requires_grad_(), logits(2).requires_grad_()
    case.loss(student, teacher, case.label(BATCH, HEIGHT, WIDTH)).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_ignored_pixels_change_nothing(case: Case) -> None:
    first_ignored = 3
    label = case.label(BATCH, HEIGHT, WIDTH)
    # One label row more than its own stride: bilinear upsampling reaches that far up from the first ignored row.
    label[:, first_ignored * case.label_stride - (case.label_stride - 1) :] = 255
    student, teacher = logits(1), logits(2)
    expected, gradient = loss_and_gradient(case, student, teacher, label)
    student[:, :, first_ignored:] = 100 * logits(5)[:, :, first_ignored:]
    teacher[:, :, first_ignored:] = 100 * logits(6)[:, :, first_ignored:]
    loss, other_gradient = loss_and_gradient(case, student, teacher, label)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(other_gradient, gradient)
    assert not gradient[:, :, first_ignored:].any()


def test_an_image_without_a_valid_pixel_changes_nothing(case: Case) -> None:
    label = case.label(BATCH, HEIGHT, WIDTH)
    label[-1] = 255
    student, teacher = logits(1), logits(2)
    torch.testing.assert_close(case.loss(student, teacher, label), case.loss(student[:-1], teacher[:-1], label[:-1]))


def test_duplicating_the_batch_changes_nothing(case: Case) -> None:
    student, teacher, label = logits(1), logits(2), case.label(BATCH, HEIGHT, WIDTH)
    expected, gradient = loss_and_gradient(case, student, teacher, label)
    loss, both = loss_and_gradient(case, student.repeat(2, 1, 1, 1), teacher.repeat(2, 1, 1, 1), label.repeat(2, 1, 1))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(both.unflatten(0, (2, -1)).sum(0), gradient)


@pytest.mark.parametrize("case", [case for case in CASES if case.zero_at_teacher], ids=lambda case: case.name)
def test_a_student_equal_to_its_teacher(case: Case) -> None:
    loss, gradient = loss_and_gradient(case, logits(1), logits(1), case.label(BATCH, HEIGHT, WIDTH))
    torch.testing.assert_close(loss, torch.zeros_like(loss), atol=1e-12, rtol=0)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


def channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def strided(tensor: Tensor) -> Tensor:
    return tensor.repeat_interleave(2, -1)[..., ::2]


@pytest.mark.parametrize("layout", [channels_last, strided])
def test_memory_layout_changes_nothing(case: Case, layout: Callable[[Tensor], Tensor]) -> None:
    label = case.label(BATCH, HEIGHT, WIDTH)
    loss, gradient = loss_and_gradient(case, layout(logits(1)), layout(logits(2)), strided(label))
    expected, expected_gradient = loss_and_gradient(case, logits(1), logits(2), label)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("size", [(1, HEIGHT, WIDTH), (1, 1, 1), (BATCH, 1, 1)])
def test_one_image_and_one_pixel(case: Case, size: tuple[int, int, int]) -> None:
    label = case.label(*size)
    label[0, 0, 0] = 0
    loss, gradient = loss_and_gradient(case, logits(1, *size), logits(2, *size), label)
    assert loss.isfinite()
    assert loss >= 0
    assert gradient.isfinite().all()


def test_without_a_valid_pixel_the_loss_is_zero(case: Case) -> None:
    label = torch.full_like(case.label(BATCH, HEIGHT, WIDTH), 255)
    loss, gradient = loss_and_gradient(case, logits(1), logits(2), label)
    assert loss == 0
    assert not gradient.any()


@pytest.mark.parametrize("case", [case for case in CASES if not case.needs_label], ids=lambda case: case.name)
def test_without_a_label_every_pixel_is_valid(case: Case) -> None:
    label = torch.zeros_like(case.label(BATCH, HEIGHT, WIDTH))
    torch.testing.assert_close(case.loss(logits(1), logits(2), None), case.loss(logits(1), logits(2), label))


@pytest.mark.parametrize("dtype", [torch.float32, *HALVES])
def test_huge_logits_stay_finite(case: Case, dtype: torch.dtype) -> None:
    student, teacher = (1e4 * logits(seed).sign().to(dtype) for seed in (1, 2))
    loss, gradient = loss_and_gradient(case, student, teacher, case.label(BATCH, HEIGHT, WIDTH))
    assert loss.isfinite()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_sums_in_single(case: Case, dtype: torch.dtype) -> None:
    student, teacher, label = logits(1, dtype=dtype), logits(2, dtype=dtype), case.label(BATCH, HEIGHT, WIDTH)
    loss, gradient = loss_and_gradient(case, student, teacher, label)
    expected, expected_gradient = loss_and_gradient(case, student.double(), teacher.double(), label)
    assert loss.dtype == torch.float32
    assert gradient.dtype == dtype
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    tolerance = torch.finfo(dtype).eps * expected_gradient.abs().max().item()
    torch.testing.assert_close(gradient.double(), expected_gradient, rtol=0, atol=tolerance)
