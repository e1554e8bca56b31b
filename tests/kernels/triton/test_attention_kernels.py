"""The attention kernel against its float64 reference: value and gradients."""

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernels import attention_kl
from kernels.attention_kl import reference_attention_kl


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def ignore_some(seed: int, *shape: int) -> Tensor:
    return (255 * (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) < 0.3)).byte()


@dataclass(frozen=True)
class Inputs:
    """Queries, and keys of another frame where ``between``."""

    size: tuple[int, int, int] = (2, 5, 7)
    channels: int = 5
    teacher_channels: int = 9
    between: bool = False
    labelled: bool = True
    dtype: torch.dtype = torch.float32
    settings: dict[str, Any] = field(default_factory=lambda: {"temperature": 2.0})

    def maps(self) -> list[Tensor]:
        """Queries of student and teacher, keys of student and teacher."""
        batch, height, width = self.size
        sizes = [(height, width)] * 2 + [(height + 2, width - 1)] * 2
        channels = [self.channels, self.teacher_channels] * 2
        maps = [randn(seed, batch, channels[seed], *sizes[seed]) for seed in range(4)]
        return [m.to(self.dtype) for m in maps[: 4 if self.between else 2]]

    def labels(self) -> list[Tensor | None]:
        batch, height, width = self.size
        if not self.labelled:
            return [None, None]
        return [ignore_some(5, *self.size), ignore_some(6, batch, height + 2, width - 1) if self.between else None]


def run(loss: Any, inputs: Inputs, maps: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Value, and the gradients of queries and keys for an incoming gradient of 3."""
    student, teacher, *keys = [m.detach() for m in maps]
    leaves = [m.requires_grad_() for m in (student, *keys[:1])]
    (label, label_keys) = inputs.labels()
    between = {"student_keys": keys[0], "teacher_keys": keys[1], "label_keys": label_keys} if keys else {}
    value = loss(student, teacher, label, **between, **inputs.settings)
    return value.detach(), list(torch.autograd.grad(3 * value, leaves))


def assert_agrees(inputs: Inputs, maps: list[Tensor] | None = None) -> list[Tensor]:
    maps = inputs.maps() if maps is None else maps
    value, gradients = run(attention_kl, inputs, maps)
    expected, expected_gradients = run(reference_attention_kl, inputs, [m.double() for m in maps])
    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), expected, rtol=1e-5, atol=1e-6)
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        assert gradient.dtype == inputs.dtype
        precision = 2e-5 if inputs.dtype == torch.float32 else 2e-3
        torch.testing.assert_close(
            gradient.double(), wanted, rtol=0, atol=precision * max(1e-4, wanted.abs().max().item())
        )
    return gradients


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("across_images", [False, True])
def test_agrees(between: bool, labelled: bool, across_images: bool) -> None:
    assert_agrees(Inputs(between=between, labelled=labelled, settings={"across_images": across_images}))


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize(("channels", "teacher_channels"), [(1, 2), (70, 33), (140, 16)])
def test_any_number_of_channels(between: bool, channels: int, teacher_channels: int) -> None:
    assert_agrees(Inputs((1, 3, 5), channels, teacher_channels, between, settings={"temperature": 8.0}))


@pytest.mark.parametrize("between", [False, True])
def test_tiles_that_do_not_divide_the_pixels(between: bool) -> None:
    assert_agrees(Inputs((1, 11, 13), between=between))


@pytest.mark.parametrize("between", [False, True])
def test_half_precision(between: bool) -> None:
    assert_agrees(Inputs((1, 9, 11), between=between, dtype=torch.float16))


@pytest.mark.parametrize("between", [False, True])
def test_memory_layouts(between: bool) -> None:
    inputs = Inputs(between=between)
    contiguous = inputs.maps()
    last = [m.contiguous(memory_format=torch.channels_last) for m in contiguous]
    for gradient in assert_agrees(inputs, last):
        assert gradient.is_contiguous(memory_format=torch.channels_last)
    assert_agrees(inputs, [m.repeat_interleave(2, 1)[:, ::2] for m in contiguous])
    assert_agrees(inputs, [m.repeat_interleave(2, 3)[..., ::2] for m in contiguous])


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 4, 1), (3, 1, 1)])
def test_one_image_one_pixel(size: tuple[int, int, int]) -> None:
    assert_agrees(Inputs(size, labelled=False))


def test_without_a_valid_pixel_the_loss_is_zero() -> None:
    student = randn(1, 2, 4, 3, 5).requires_grad_()
    loss = attention_kl(student, randn(2, 2, 4, 3, 5), torch.full((2, 3, 5), 255))
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss == 0
    assert not gradient.any()


def test_a_student_equal_to_its_teacher_has_no_loss() -> None:
    student = randn(1, 1, 4, 9, 9).requires_grad_()
    loss = attention_kl(student, student.detach())
    (gradient,) = torch.autograd.grad(loss, student)
    assert loss == 0
    assert not gradient.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_huge_features_stay_finite(dtype: torch.dtype) -> None:
    student, teacher = ((1e4 * randn(seed, 1, 4, 3, 5).sign()).to(dtype) for seed in (1, 2))
    student.requires_grad_()
    loss = attention_kl(student, teacher)
    (gradient,) = torch.autograd.grad(loss, student)
    torch.testing.assert_close(
        loss.double(), reference_attention_kl(student.double(), teacher.double()), rtol=1e-5, atol=0
    )
    assert gradient.isfinite().all()


def test_a_teacher_of_another_precision() -> None:
    student, teacher = randn(1, 1, 4, 5, 5).half(), randn(2, 1, 6, 5, 5)
    expected = attention_kl(student, teacher.half())
    torch.testing.assert_close(attention_kl(student, teacher), expected)


@pytest.mark.parametrize("between", [False, True])
def test_the_same_bits_in_every_run(between: bool) -> None:
    inputs = Inputs((1, 9, 11), between=between)
    first, second = (run(attention_kl, inputs, inputs.maps()) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert all(torch.equal(one, other) for one, other in zip(first[1], second[1], strict=True))


@pytest.mark.parametrize("between", [False, True])
def test_compiles_without_a_break(between: bool) -> None:
    inputs = Inputs(between=between)
    compiled = torch.compile(attention_kl, fullgraph=True, backend="aot_eager")
    found, expected = (run(loss, inputs, inputs.maps()) for loss in (compiled, attention_kl))
    torch.testing.assert_close(found, expected)


@settings(max_examples=8, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99))
def test_order_of_pixels_and_copies_of_the_batch_change_nothing(height: int, width: int, seed: int) -> None:
    student, teacher = randn(seed, 1, 3, height, width), randn(seed + 1, 1, 6, height, width)
    order = torch.randperm(height * width, generator=torch.Generator().manual_seed(seed))
    shuffled = [m.flatten(2)[..., order].view_as(m).repeat(2, 1, 1, 1) for m in (student, teacher)]
    torch.testing.assert_close(attention_kl(*shuffled), attention_kl(student, teacher), rtol=1e-5, atol=1e-6)
