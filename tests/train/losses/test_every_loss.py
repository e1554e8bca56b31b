"""What every loss promises, with every switch, whatever its formula."""

from collections.abc import Callable
from typing import get_args

import pytest
import torch
from torch import Tensor

from train.losses.contract import FusedChannels, Loss
from train.losses.cross_entropy import CrossEntropyConfig
from train.losses.fckd import FckdConfig
from train.losses.kd import KdConfig
from train.losses.registry import AnyLossConfig
from train.models.taps import Taps

BATCH, CLASSES, HEIGHT, WIDTH = 3, 4, 5, 6
STRIDE = 4
CHANNELS = FusedChannels(student=5, teacher=3)

CASES: dict[str, AnyLossConfig] = {
    "cross_entropy": CrossEntropyConfig(),
    "kd": KdConfig(),
    "kd, temperature": KdConfig(temperature=4),
    "kd, label": KdConfig(temperature=2, resolution="label"),
    "fckd": FckdConfig(),
    "fckd, no enhancement": FckdConfig(kappa=0),
    "fckd, unbounded": FckdConfig(enhancement="unbounded", enhancement_temperature=5),
    "fckd, threshold": FckdConfig(mask="threshold", threshold=0.3),
    "fckd, keep": FckdConfig(mask="keep", keep=0.4, entropy_temperature=2),
    "fckd, uncertain": FckdConfig(polarity="uncertain"),
    "fckd, weighted": FckdConfig(pixel_weight="matrix"),
    "fckd, label": FckdConfig(resolution="label"),
    "fckd, features": FckdConfig(on="features"),
    "fckd, features, weighted": FckdConfig(on="features", mask="keep", pixel_weight="matrix", kappa=0.5),
}
ZERO_AT_TEACHER = ["kd", "kd, temperature", "kd, label", "fckd, no enhancement"]


@pytest.fixture(params=CASES)
def config(request: pytest.FixtureRequest) -> AnyLossConfig:
    return CASES[request.param]


@pytest.fixture
def loss(config: AnyLossConfig) -> Loss:
    torch.manual_seed(0)
    # Batch norm in training mode would couple the images and the ignored pixels.
    return config.build(CHANNELS).double().eval()


def maps(
    seed: int, fused_channels: int, batch: int = BATCH, height: int = HEIGHT, width: int = WIDTH, spread: float = 3.0
) -> Taps:
    generator = torch.Generator().manual_seed(seed)

    def randn(channels: int) -> Tensor:
        return spread * torch.randn(batch, channels, height, width, generator=generator, dtype=torch.float64)

    return Taps(stages=[], fused=randn(fused_channels), logits=randn(CLASSES))


def student_maps(batch: int = BATCH, height: int = HEIGHT, width: int = WIDTH) -> Taps:
    return maps(1, CHANNELS.student, batch, height, width)


def teacher_maps(batch: int = BATCH, height: int = HEIGHT, width: int = WIDTH) -> Taps:
    return maps(2, CHANNELS.teacher, batch, height, width)


def labels(batch: int = BATCH, height: int = HEIGHT, width: int = WIDTH) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    size = (batch, height * STRIDE, width * STRIDE)
    label = torch.randint(0, CLASSES, size, generator=generator, dtype=torch.uint8)
    label[torch.rand(size, generator=generator) < 0.2] = 255
    label[0, :STRIDE, :STRIDE] = 1
    return label


def each(taps: Taps, change: Callable[[Tensor], Tensor]) -> Taps:
    return Taps(stages=[], fused=change(taps.fused), logits=change(taps.logits))


def total_and_gradients(loss: Loss, student: Taps, teacher: Taps, label: Tensor | None) -> tuple[Tensor, list[Tensor]]:
    leaves = each(student, lambda tensor: tensor.detach().requires_grad_())
    total = sum(loss(leaves, teacher, label).values(), torch.zeros(()))
    maps = [leaves.logits, leaves.fused]
    gradients = torch.autograd.grad(total, maps, allow_unused=True)
    return total.detach(), [
        torch.zeros_like(leaf) if gradient is None else gradient for leaf, gradient in zip(maps, gradients, strict=True)
    ]


def assert_same(found: tuple[Tensor, list[Tensor]], expected: tuple[Tensor, list[Tensor]]) -> None:
    torch.testing.assert_close(found[0], expected[0], check_dtype=False)
    for one, other in zip(found[1], expected[1], strict=True):
        torch.testing.assert_close(one, other)


def test_every_registered_loss_is_tested_here() -> None:
    assert {type(config) for config in CASES.values()} == set(get_args(get_args(AnyLossConfig)[0]))


def test_terms_are_scalars_named_after_the_loss(loss: Loss, config: AnyLossConfig) -> None:
    terms = loss(student_maps(), teacher_maps(), labels())
    assert {term.split(".")[0] for term in terms} == {config.name}
    assert all(value.shape == () and value >= 0 for value in terms.values())


def test_gradient_is_that_of_the_value(loss: Loss) -> None:
    student, teacher, label = student_maps(2, 2, 3), teacher_maps(2, 2, 3), labels(2, 2, 3)

    def total(logits: Tensor, fused: Tensor) -> Tensor:
        return sum(loss(Taps([], fused, logits), teacher, label).values(), torch.zeros(()))

    inputs = (student.logits.requires_grad_(), student.fused.requires_grad_())
    assert torch.autograd.gradcheck(total, inputs)


def test_no_gradient_reaches_the_teacher(loss: Loss) -> None:
    student, teacher = (each(taps, Tensor.requires_grad_) for taps in (student_maps(), teacher_maps()))
    sum(loss(student, teacher, labels()).values()).backward()
    assert student.logits.grad is not None or student.fused.grad is not None
    assert teacher.logits.grad is None
    assert teacher.fused.grad is None


def test_ignored_pixels_change_nothing(loss: Loss) -> None:
    first_ignored = 3
    label = labels()
    # Half a stride more: bilinear upsampling reaches that far up from the first ignored row.
    label[:, first_ignored * STRIDE - STRIDE // 2 :] = 255
    student, teacher = student_maps(), teacher_maps()
    expected = total_and_gradients(loss, student, teacher, label)

    def disturb(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor[:, :, first_ignored:] *= -50
        return tensor

    assert_same(total_and_gradients(loss, each(student, disturb), each(teacher, disturb), label), expected)
    assert not any(gradient[:, :, first_ignored:].any() for gradient in expected[1])


def test_duplicating_the_batch_changes_nothing(loss: Loss) -> None:
    student, teacher, label = student_maps(), teacher_maps(), labels()
    expected = total_and_gradients(loss, student, teacher, label)

    def twice(tensor: Tensor) -> Tensor:
        return tensor.repeat(2, 1, 1, 1)

    total, gradients = total_and_gradients(loss, each(student, twice), each(teacher, twice), label.repeat(2, 1, 1))
    assert_same((total, [gradient.unflatten(0, (2, -1)).sum(0) for gradient in gradients]), expected)


@pytest.mark.parametrize("name", ZERO_AT_TEACHER)
def test_a_student_equal_to_its_teacher_has_no_loss(name: str) -> None:
    total, gradients = total_and_gradients(CASES[name].build(None), student_maps(), student_maps(), labels())
    assert total.item() == pytest.approx(0, abs=1e-12)
    assert all(gradient.abs().max() < 1e-12 for gradient in gradients)


@pytest.mark.parametrize("layout", ["channels_last", "strided"])
def test_memory_layout_changes_nothing(loss: Loss, layout: str) -> None:
    def lay_out(tensor: Tensor) -> Tensor:
        if layout == "channels_last":
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor.repeat_interleave(2, -1)[..., ::2]

    found = total_and_gradients(loss, each(student_maps(), lay_out), each(teacher_maps(), lay_out), labels())
    assert_same(found, total_and_gradients(loss, student_maps(), teacher_maps(), labels()))


@pytest.mark.parametrize("size", [(1, HEIGHT, WIDTH), (1, 1, 1), (BATCH, 1, 1)])
def test_one_image_and_one_pixel(loss: Loss, size: tuple[int, int, int]) -> None:
    total, gradients = total_and_gradients(loss, student_maps(*size), teacher_maps(*size), labels(*size))
    assert total.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_without_a_valid_pixel_the_loss_is_zero(loss: Loss) -> None:
    total, gradients = total_and_gradients(loss, student_maps(), teacher_maps(), torch.full_like(labels(), 255))
    assert total == 0
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_huge_logits_stay_finite(loss: Loss, dtype: torch.dtype) -> None:
    def huge(tensor: Tensor) -> Tensor:
        return (1e4 * tensor.sign()).to(dtype)

    student, teacher = each(student_maps(), huge), each(teacher_maps(), huge)
    # The adapter is a layer of the network: autocast chooses its precision, in training too.
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32):
        total, gradients = total_and_gradients(loss.float(), student, teacher, labels())
    assert total.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", [name for name, case in CASES.items() if getattr(case, "on", "") != "features"])
def test_half_precision_sums_in_single(name: str, dtype: torch.dtype) -> None:
    loss = CASES[name].build(None)
    student, teacher = (each(taps, lambda tensor: tensor.to(dtype)) for taps in (student_maps(), teacher_maps()))
    total, gradients = total_and_gradients(loss, student, teacher, labels())
    student, teacher = (each(taps, Tensor.double) for taps in (student, teacher))
    expected, expected_gradients = total_and_gradients(loss, student, teacher, labels())
    assert total.item() == pytest.approx(expected.item(), rel=1e-4)
    tolerance = torch.finfo(dtype).eps * expected_gradients[0].abs().max().item()
    torch.testing.assert_close(gradients[0].double(), expected_gradients[0], rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.name != "cross_entropy"])
def test_a_teacher_of_another_stride_is_resized(name: str) -> None:
    loss = CASES[name].build(CHANNELS).double().eval()
    terms = loss(student_maps(), teacher_maps(BATCH, 2, 9), labels())
    assert all(value.isfinite() for value in terms.values())
