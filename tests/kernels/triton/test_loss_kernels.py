"""Every loss kernel against its float64 reference: value and gradient."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernels import channel_kl, cross_entropy, pixel_kl
from kernels.channel_kl import reference_channel_kl
from kernels.cross_entropy import reference_cross_entropy
from kernels.pixel_kl import reference_pixel_kl

Loss = Callable[..., Tensor]


@dataclass(frozen=True)
class Inputs:
    student: Tensor
    teacher: Tensor
    label: Tensor
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    name: str
    loss: Loss
    reference: Loss
    maps: tuple[str, ...] = ()
    """Names of the arguments ``(N, H, W)``."""
    settings: dict[str, Any] = field(default_factory=dict)
    upsampled: bool = False
    # An interpreted program takes milliseconds: many for one form of each operation, few for the rest.
    channels: tuple[int, ...] = (2, 171)

    def inputs(self, channels: int = 5, batch: int = 2, height: int = 3, width: int = 5) -> Inputs:
        generator = torch.Generator().manual_seed(channels)
        settings = dict(self.settings)
        size = (batch, height, width)
        teacher_size = (height, width)
        if self.upsampled:
            teacher_size = (max(1, height - 2), width + 1)
            size = (batch, height + 2, 2 * width - 1)
            if self.loss is pixel_kl:
                settings["size"] = size[1:]
        label = torch.randint(0, channels, size, generator=generator, dtype=torch.uint8)
        label[torch.rand(size, generator=generator) < 0.3] = 255
        label[0, 0, 0] = 1
        settings |= {name: torch.rand(size, generator=generator) + 0.5 for name in self.maps}
        if "teacher_channel_scale" in settings:
            settings["teacher_channel_scale"] = torch.rand(batch, channels, generator=generator) + 0.5
        student = 3 * torch.randn(batch, channels, height, width, generator=generator)
        teacher = 3 * torch.randn(batch, channels, *teacher_size, generator=generator)
        return Inputs(student, teacher, label, settings)


def kernel_cross_entropy(student: Tensor, teacher: Tensor, label: Tensor | None, **settings: Any) -> Tensor:
    del teacher
    return cross_entropy(student, label, **settings)


def definition_of_cross_entropy(student: Tensor, teacher: Tensor, label: Tensor | None, **settings: Any) -> Tensor:
    del teacher
    return reference_cross_entropy(student, label, **settings)


SCALES = ("student_scale", "teacher_scale")
MANY = (2, 11, 19, 150, 171)
CASES = [
    Case("pixel_kl", pixel_kl, reference_pixel_kl),
    Case("pixel_kl, scales", pixel_kl, reference_pixel_kl, SCALES, {"temperature": 2.0}, channels=MANY),
    Case("pixel_kl, weights", pixel_kl, reference_pixel_kl, ("weight",), {"mean_over": "weight"}),
    Case("pixel_kl, upsampled", pixel_kl, reference_pixel_kl, upsampled=True),
    Case(
        "pixel_kl, upsampled, all",
        pixel_kl,
        reference_pixel_kl,
        (*SCALES, "weight"),
        {"align_corners": True, "temperature": 3.0},
        upsampled=True,
    ),
    Case("channel_kl", channel_kl, reference_channel_kl, channels=(2,)),
    Case(
        "channel_kl, scales",
        channel_kl,
        reference_channel_kl,
        SCALES,
        {"teacher_channel_scale": None},
        channels=(11, 19),
    ),
    Case("cross_entropy", kernel_cross_entropy, definition_of_cross_entropy, channels=MANY),
    Case("cross_entropy, upsampled", kernel_cross_entropy, definition_of_cross_entropy, upsampled=True),
    Case(
        "cross_entropy, upsampled, corners",
        kernel_cross_entropy,
        definition_of_cross_entropy,
        settings={"align_corners": True},
        upsampled=True,
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def run(loss: Loss, inputs: Inputs, student: Tensor, teacher: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
    """Value, and gradient for an incoming gradient of 3."""
    leaf = student.detach().requires_grad_()
    value = loss(leaf, teacher, label, **inputs.settings)
    (gradient,) = torch.autograd.grad(3 * value, leaf)
    return value.detach(), gradient


def assert_agrees(case: Case, inputs: Inputs, student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    value, gradient = run(case.loss, inputs, student, teacher, label)
    expected, expected_gradient = run(case.reference, inputs, student.double(), teacher.double(), label)
    assert value.dtype == torch.float32
    assert gradient.dtype == student.dtype
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)
    precision = 1e-5 if student.dtype == torch.float32 else torch.finfo(student.dtype).eps
    tolerance = precision * max(1e-4, expected_gradient.abs().max().item())
    torch.testing.assert_close(gradient.double(), expected_gradient, rtol=0, atol=tolerance)
    return gradient


@pytest.mark.parametrize(
    ("case", "channels"),
    [(case, channels) for case in CASES for channels in case.channels],
    ids=lambda value: getattr(value, "name", value),
)
def test_any_number_of_classes(case: Case, channels: int) -> None:
    inputs = case.inputs(channels, batch=1)
    assert_agrees(case, inputs, inputs.student, inputs.teacher, inputs.label)


@every_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(case: Case, dtype: torch.dtype) -> None:
    inputs = case.inputs()
    assert_agrees(case, inputs, inputs.student.to(dtype), inputs.teacher.to(dtype), inputs.label)


@every_case
def test_channels_last(case: Case) -> None:
    inputs = case.inputs()
    student, teacher = (m.contiguous(memory_format=torch.channels_last) for m in (inputs.student, inputs.teacher))
    gradient = assert_agrees(case, inputs, student, teacher, inputs.label)
    assert gradient.is_contiguous(memory_format=torch.channels_last)


@every_case
def test_slices_of_other_tensors(case: Case) -> None:
    inputs, step = case.inputs(), (1, 2, 1, 2)
    slices = tuple(slice(None, None, s) for s in step)

    def sliced(tensor: Tensor) -> Tensor:
        for dimension, repeats in enumerate(step):
            tensor = tensor.repeat_interleave(repeats, dimension)
        return tensor[slices]

    assert_agrees(case, inputs, sliced(inputs.student), sliced(inputs.teacher), inputs.label)


@every_case
def test_transposed_sides(case: Case) -> None:
    inputs = case.inputs()
    student, teacher = (m.mT.contiguous().mT for m in (inputs.student, inputs.teacher))
    assert_agrees(case, inputs, student, teacher, inputs.label)


@every_case
@pytest.mark.parametrize("size", [(1, 1, 1), (2, 4, 1)])
def test_one_image_one_pixel(case: Case, size: tuple[int, int, int]) -> None:
    inputs = case.inputs(4, *size)
    assert_agrees(case, inputs, inputs.student, inputs.teacher, inputs.label)


@every_case
def test_without_a_valid_pixel_the_loss_is_zero(case: Case) -> None:
    inputs = case.inputs()
    value, gradient = run(case.loss, inputs, inputs.student, inputs.teacher, torch.full_like(inputs.label, 255))
    assert value == 0
    assert not gradient.any()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.loss is not kernel_cross_entropy], ids=lambda c: c.name
)
def test_without_a_label(case: Case) -> None:
    inputs = case.inputs()
    assert_agrees(case, inputs, inputs.student, inputs.teacher, None)


@every_case
def test_labels_of_64_bits(case: Case) -> None:
    inputs = case.inputs()
    assert_agrees(case, inputs, inputs.student, inputs.teacher, inputs.label.long())


@every_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_huge_logits_stay_finite(case: Case, dtype: torch.dtype) -> None:
    inputs = case.inputs()
    student, teacher = ((1e4 * m.sign()).to(dtype) for m in (inputs.student, inputs.teacher))
    value, gradient = run(case.loss, inputs, student, teacher, inputs.label)
    expected, _ = run(case.reference, inputs, student.double(), teacher.double(), inputs.label)
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)
    assert gradient.isfinite().all()


@every_case
def test_the_same_bits_in_every_run(case: Case) -> None:
    inputs = case.inputs()
    first, second = (run(case.loss, inputs, inputs.student, inputs.teacher, inputs.label) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


@every_case
def test_no_gradient_reaches_the_teacher(case: Case) -> None:
    inputs = case.inputs()
    teacher = inputs.teacher.clone().requires_grad_()
    case.loss(inputs.student.clone().requires_grad_(), teacher, inputs.label, **inputs.settings).backward()
    assert teacher.grad is None


@every_case
def test_compiles_without_a_break(case: Case) -> None:
    inputs = case.inputs()
    compiled = torch.compile(case.loss, fullgraph=True, backend="aot_eager")
    found = run(compiled, inputs, inputs.student, inputs.teacher, inputs.label)
    expected = run(case.loss, inputs, inputs.student, inputs.teacher, inputs.label)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)


@settings(max_examples=10, deadline=None)
@given(
    case=st.sampled_from([case for case in CASES if not case.upsampled]),
    height=st.integers(1, 8),
    width=st.integers(1, 12),
    channels=st.integers(2, 20),
    seed=st.integers(0, 100),
)
def test_order_of_pixels_and_copies_of_the_batch_change_nothing(
    case: Case, height: int, width: int, channels: int, seed: int
) -> None:
    inputs = case.inputs(channels, 1, height, width)
    order = torch.randperm(height * width, generator=torch.Generator().manual_seed(seed))

    def shuffled(tensor: Tensor) -> Tensor:
        twice = tensor if tensor.dim() < 3 else tensor.flatten(-2)[..., order].view_as(tensor)
        return twice.repeat(2, *[1] * (tensor.dim() - 1))

    other = Inputs(
        shuffled(inputs.student),
        shuffled(inputs.teacher),
        shuffled(inputs.label),
        {key: shuffled(value) if isinstance(value, Tensor) else value for key, value in inputs.settings.items()},
    )
    value, gradient = run(case.loss, inputs, inputs.student, inputs.teacher, inputs.label)
    found, both = run(case.loss, other, other.student, other.teacher, other.label)
    torch.testing.assert_close(found, value, rtol=1e-5, atol=1e-6)
    once = both.unflatten(0, (2, 1)).sum(0).flatten(2)
    torch.testing.assert_close(once, gradient.flatten(2)[..., order], rtol=1e-4, atol=1e-7)
