"""What every operation promises, whatever its formula."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import kernels
from tests.kernels.operations import OPERATIONS, Operation

HALVES = [torch.float16, torch.bfloat16]


def for_each(where: Callable[[Operation], bool] = lambda _: True) -> Any:
    chosen = [operation for operation in OPERATIONS if where(operation)]
    return pytest.mark.parametrize("operation", chosen, ids=lambda operation: operation.name)


@for_each()
def test_gradient_is_that_of_the_value(operation: Operation) -> None:
    student, teacher, label = operation.inputs(max(2, operation.least_images), 2, 3)
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda student: operation.loss(student, teacher, label), student)


@for_each()
def test_no_gradient_reaches_the_teacher(operation: Operation) -> None:
    student, teacher, label = operation.inputs()
    operation.loss(student.requires_grad_(), teacher.requires_grad_(), label).backward()
    assert student.grad is not None
    assert student.grad.any()
    assert teacher.grad is None


@for_each(lambda operation: operation.has_label)
def test_ignored_pixels_change_nothing(operation: Operation) -> None:
    first_ignored, stride = 3, operation.label_stride
    student, teacher, label = operation.inputs()
    # One label row more than its own stride: bilinear upsampling reaches that far up from the first ignored row.
    label[:, first_ignored * stride - (stride - 1) :] = 255
    expected, gradient = operation.loss_and_gradient(student, teacher, label)
    for features in (student, teacher):
        features[:, :, first_ignored:] = 100 * features[:, :, first_ignored:].flip(0)
    loss, other_gradient = operation.loss_and_gradient(student, teacher, label)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(other_gradient, gradient)
    assert not gradient[:, :, first_ignored:].any()


@for_each(lambda operation: operation.has_label)
def test_an_image_without_a_valid_pixel_changes_nothing(operation: Operation) -> None:
    student, teacher, label = operation.inputs()
    label[-1] = 255
    without = operation.loss(student[:-1], teacher[:-1], label[:-1])
    torch.testing.assert_close(operation.loss(student, teacher, label), without)


@for_each(lambda operation: not operation.copies_matter)
def test_duplicating_the_batch_changes_nothing(operation: Operation) -> None:
    inputs = operation.inputs()
    expected, gradient = operation.loss_and_gradient(*inputs)
    loss, both = operation.loss_and_gradient(*(m.repeat(2, *[1] * (m.dim() - 1)) for m in inputs))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(both.unflatten(0, (2, -1)).sum(0), gradient)


@for_each(lambda operation: operation.zero_at_teacher)
def test_a_student_equal_to_its_teacher(operation: Operation) -> None:
    student, _, label = operation.inputs()
    loss, gradient = operation.loss_and_gradient(student, student, label)
    torch.testing.assert_close(loss, torch.zeros_like(loss), atol=1e-12, rtol=0)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), atol=1e-12, rtol=0)


def channels_last(tensor: Tensor) -> Tensor:
    return tensor.contiguous(memory_format=torch.channels_last)


def strided(tensor: Tensor) -> Tensor:
    return tensor.repeat_interleave(2, -1)[..., ::2]


@for_each()
@pytest.mark.parametrize("layout", [channels_last, strided])
def test_memory_layout_changes_nothing(operation: Operation, layout: Callable[[Tensor], Tensor]) -> None:
    student, teacher, label = operation.inputs()
    expected, expected_gradient = operation.loss_and_gradient(student, teacher, label)
    loss, gradient = operation.loss_and_gradient(layout(student), layout(teacher), strided(label))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, expected_gradient)


@for_each(lambda operation: operation.least_images == 1)
def test_one_image(operation: Operation) -> None:
    loss, gradient = operation.loss_and_gradient(*operation.inputs(batch=1))
    assert loss.isfinite()
    assert loss >= 0
    assert gradient.isfinite().all()


@for_each()
@pytest.mark.parametrize("width", [1, 3])
def test_one_pixel_or_row(operation: Operation, width: int) -> None:
    loss, gradient = operation.loss_and_gradient(*operation.inputs(operation.least_images, 1, width))
    assert loss.isfinite()
    assert loss >= 0 or operation.copies_matter
    assert gradient.isfinite().all()


@for_each(lambda operation: operation.has_label)
def test_without_a_valid_pixel_the_loss_is_zero(operation: Operation) -> None:
    student, teacher, label = operation.inputs()
    loss, gradient = operation.loss_and_gradient(student, teacher, torch.full_like(label, 255))
    assert loss == 0
    assert not gradient.any()


@for_each(lambda operation: not operation.needs_label)
def test_without_a_label_every_pixel_is_valid(operation: Operation) -> None:
    student, teacher, label = operation.inputs()
    every_pixel = operation.loss(student, teacher, torch.zeros_like(label))
    torch.testing.assert_close(operation.loss(student, teacher, None), every_pixel)


def assert_finite_for_huge_values(operation: Operation, dtype: torch.dtype) -> None:
    student, teacher, label = operation.inputs()
    loss, gradient = operation.loss_and_gradient(*((1e4 * m.sign()).to(dtype) for m in (student, teacher)), label)
    assert loss.isfinite()
    assert gradient.isfinite().all()


@for_each()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_huge_values_stay_finite(operation: Operation, dtype: torch.dtype) -> None:
    assert_finite_for_huge_values(operation, dtype)


@for_each(lambda operation: operation.in_single)
def test_the_largest_values_of_fp16_stay_finite(operation: Operation) -> None:
    assert_finite_for_huge_values(operation, torch.float16)


@for_each(lambda operation: operation.in_single)
@pytest.mark.parametrize("dtype", HALVES)
def test_half_precision_sums_in_single(operation: Operation, dtype: torch.dtype) -> None:
    student, teacher, label = operation.inputs(dtype=dtype)
    loss, gradient = operation.loss_and_gradient(student, teacher, label)
    expected, expected_gradient = operation.loss_and_gradient(student.double(), teacher.double(), label)
    assert loss.dtype == torch.float32
    assert gradient.dtype == dtype
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    tolerance = torch.finfo(dtype).eps * expected_gradient.abs().max().item()
    torch.testing.assert_close(gradient.double(), expected_gradient, rtol=0, atol=tolerance)


def test_there_is_a_row_for_each_operation() -> None:
    rows = {operation.name.split(",")[0] for operation in OPERATIONS}
    assert rows | {"condensation"} == set(kernels.__all__)
