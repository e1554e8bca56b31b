"""What every loss promises, with every switch, whatever its formula."""

import io
from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor

from tests.train.losses.cases import CASES, named
from tests.train.losses.views import (
    ALIKE,
    BATCH,
    CLASSES,
    HEIGHT,
    SHAPES,
    STRIDE,
    WIDTH,
    assert_same,
    each_map,
    each_tensor,
    labels,
    student_maps,
    taps,
    total_and_gradients,
    views,
)
from train.losses.contract import Loss, Views
from train.losses.registry import AnyLossConfig
from train.models.taps import Taps


def build(name: str) -> Loss:
    torch.manual_seed(0)
    # Batch norm in training mode would couple the images and the ignored pixels.
    return CASES[name].config.build(SHAPES).double().eval()


@pytest.fixture(params=CASES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def loss(name: str) -> Loss:
    return build(name)


def test_every_registered_loss_is_tested_here() -> None:
    assert {type(case.config) for case in CASES.values()} == set(get_args(get_args(AnyLossConfig)[0]))


def test_terms_are_scalars_named_after_the_loss(loss: Loss, name: str) -> None:
    terms = loss(views())
    assert {term.split(".")[0] for term in terms} == {CASES[name].config.name}
    assert all(value.shape == () and value >= 0 for value in terms.values())


def test_only_what_it_needs_is_looked_at(loss: Loss, name: str) -> None:
    """The recipe computes no more than the needs: a loss must do with just that."""
    needs, seen = CASES[name].config.needs, views()
    assert seen.teacher is not None
    assert seen.neighbour is not None
    assert seen.neighbour.teacher is not None

    def only(of: Taps, wanted: frozenset[str]) -> Taps:
        return Taps({tap: of[tap] for tap in wanted})

    neighbour = replace(
        seen.neighbour,
        student=only(seen.neighbour.student, needs.neighbour_student),
        teacher=only(seen.neighbour.teacher, needs.neighbour_teacher) if needs.neighbour_teacher else None,
        **({} if needs.flow else {"image": None, "flow": None, "visible": None}),
    )
    least = Views(
        student=only(seen.student, needs.student),
        teacher=only(seen.teacher, needs.teacher) if needs.teacher else None,
        label=seen.label if needs.labels else None,
        image=seen.image if needs.flow else None,
        neighbour=neighbour if needs.neighbour else None,
    )
    assert all(value.isfinite() for value in loss(least).values())


@pytest.mark.parametrize("name", named(differentiable=True))
def test_gradient_is_that_of_the_value(name: str) -> None:
    loss, images = build(name), max(2, CASES[name].config.least_images)
    seen = each_map(views(images, 2, 3), lambda tensor: tensor.requires_grad_())
    assert seen.neighbour is not None
    key, neighbour = list(seen.student.maps), list(seen.neighbour.student.maps)

    def total(*maps: Tensor) -> Tensor:
        assert seen.neighbour is not None
        shown = Taps(dict(zip(key, maps[: len(key)], strict=True)))
        other = replace(seen.neighbour, student=Taps(dict(zip(neighbour, maps[len(key) :], strict=True))))
        torch.manual_seed(0)
        return sum(loss(replace(seen, student=shown, neighbour=other)).values(), torch.zeros(()))

    assert torch.autograd.gradcheck(total, tuple(student_maps(seen)), fast_mode=True)


def test_no_gradient_reaches_the_teacher(loss: Loss) -> None:
    seen = each_map(views(), Tensor.requires_grad_)
    sum(loss(seen).values()).backward()
    assert seen.teacher is not None
    assert seen.neighbour is not None
    assert seen.neighbour.teacher is not None
    assert any(found.grad is not None for found in student_maps(seen))
    assert all(found.grad is None for found in seen.teacher.maps.values())
    assert all(found.grad is None for found in seen.neighbour.teacher.maps.values())


@pytest.mark.parametrize("name", named(pixel_local=True))
def test_ignored_pixels_change_nothing(name: str) -> None:
    loss, seen, label = build(name), views(), labels()
    first_ignored = HEIGHT * STRIDE // 2
    # Half a stride more: bilinear upsampling reaches that far up from the first ignored row.
    label[:, first_ignored - STRIDE // 2 :] = 255
    seen = replace(seen, label=label)

    def first_row(tensor: Tensor) -> int:
        return -(-first_ignored * tensor.shape[2] // label.shape[1])

    def disturb(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor[:, :, first_row(tensor) :] *= -50
        return tensor

    assert seen.teacher is not None
    disturbed = each_map(seen, disturb)
    # The second frame has labels of its own, which nobody knows.
    disturbed = replace(disturbed, neighbour=seen.neighbour)
    expected = total_and_gradients(loss, seen)
    found = total_and_gradients(loss, disturbed)
    assert_same(found, expected)
    of_key_frame = expected[1][: len(seen.student.maps)]
    assert not any(gradient[:, :, first_row(gradient) :].any() for gradient in of_key_frame)


@pytest.mark.parametrize("name", named(same_twice=True))
def test_duplicating_the_batch_changes_nothing(name: str) -> None:
    loss = build(name)
    expected = total_and_gradients(loss, views())
    total, gradients = total_and_gradients(loss, each_tensor(views(), lambda t: torch.cat([t, t])))
    assert_same((total, [gradient.unflatten(0, (2, -1)).sum(0) for gradient in gradients]), expected)


@pytest.mark.parametrize("name", named(zero_at_teacher=True))
def test_a_student_equal_to_its_teacher_has_no_loss(name: str) -> None:
    seen = views(shapes=ALIKE)
    assert seen.neighbour is not None
    seen = replace(seen, teacher=seen.student, neighbour=replace(seen.neighbour, teacher=seen.neighbour.student))
    torch.manual_seed(0)
    total, gradients = total_and_gradients(CASES[name].config.build(ALIKE).double().eval(), seen)
    assert total.item() == pytest.approx(0, abs=1e-12)
    assert all(gradient.abs().max() < 1e-12 for gradient in gradients)


def test_restored_from_a_checkpoint_it_goes_on_as_it_would_have(loss: Loss, name: str) -> None:
    loss.train()
    loss(views(BATCH + 1))  # memories fill, counts of draws go on
    file = io.BytesIO()
    torch.save(loss.state_dict(), file)
    torch.manual_seed(1)
    restored = CASES[name].config.build(SHAPES).double().train()
    restored.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    for _ in range(2):
        found = []
        for each in (loss, restored):
            torch.manual_seed(2)
            total, gradients = total_and_gradients(each, views())
            found.append([total, *gradients])
        assert all(torch.equal(left, right) for left, right in zip(*found, strict=True))


@pytest.mark.parametrize("layout", ["channels_last", "strided"])
def test_memory_layout_changes_nothing(loss: Loss, layout: str) -> None:
    def lay_out(tensor: Tensor) -> Tensor:
        if layout == "channels_last":
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor.repeat_interleave(2, -1)[..., ::2]

    assert_same(total_and_gradients(loss, each_map(views(), lay_out)), total_and_gradients(loss, views()))


@pytest.mark.parametrize("size", [(1, HEIGHT, WIDTH), (1, 1, 1), (BATCH, 1, 1)])
def test_one_image_and_one_pixel(loss: Loss, name: str, size: tuple[int, int, int]) -> None:
    images = max(size[0], CASES[name].config.least_images)
    total, gradients = total_and_gradients(loss, views(images, *size[1:]))
    assert total.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("name", named(no_valid_is_zero=True))
def test_without_a_valid_pixel_the_loss_is_zero(name: str) -> None:
    total, gradients = total_and_gradients(build(name), replace(views(), label=torch.full_like(labels(), 255)))
    assert total == 0
    assert not any(gradient.any() for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_huge_logits_stay_finite(loss: Loss, dtype: torch.dtype) -> None:
    seen = each_map(views(), lambda tensor: (1e4 * tensor.sign()).to(dtype))
    # The adapter is a layer of the network: autocast chooses its precision, in training too.
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype != torch.float32):
        total, gradients = total_and_gradients(loss.float(), seen)
    assert total.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", named(half=True))
def test_half_precision_sums_in_single(name: str, dtype: torch.dtype) -> None:
    loss = CASES[name].config.build(SHAPES)
    seen = each_map(views(), lambda tensor: tensor.to(dtype))
    total, gradients = total_and_gradients(loss, seen)
    expected, expected_gradients = total_and_gradients(loss, each_map(seen, Tensor.double))
    assert total.item() == pytest.approx(expected.item(), rel=1e-4)
    for gradient, wanted in zip(gradients, expected_gradients, strict=True):
        tolerance = torch.finfo(dtype).eps * wanted.abs().max().item()
        torch.testing.assert_close(gradient.double(), wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.config.needs.teacher])
def test_a_teacher_of_another_stride_is_resized(name: str) -> None:
    seen = views()
    assert seen.neighbour is not None
    other = {"height": 4, "width": 9}
    neighbour = replace(seen.neighbour, teacher=taps(5, SHAPES.teacher, **other))
    terms = build(name)(replace(seen, teacher=taps(2, SHAPES.teacher, **other), neighbour=neighbour))
    assert all(value.isfinite() for value in terms.values())


def test_the_made_views_are_what_the_tests_take_them_for() -> None:
    assert SHAPES.classes == CLASSES
    assert views().student["stride:16"].shape == (BATCH, 4, HEIGHT // 4, -(-WIDTH // 4))
