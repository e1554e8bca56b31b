"""The CPU's tiled forms against the plain definitions."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import channel_kl, cross_entropy, pixel_kl
from kernels.channel_kl import reference_channel_kl
from kernels.cross_entropy import reference_cross_entropy
from kernels.pixel_kl import reference_pixel_kl
from kernels.tiled.bilinear import upsample

Loss = Callable[..., Tensor]


def rand(seed: int, *shape: int) -> Tensor:
    return 5 * torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


LABEL = (255 * (rand(9, 2, 7, 9) < 1)).to(torch.uint8)
SCALES = {"student_scale": rand(3, 2, 7, 9), "teacher_scale": rand(4, 2, 7, 9)}
TEACHER = rand(2, 2, 5, 7, 9)
CASES: dict[str, tuple[Loss, Loss, tuple[Any, ...], dict[str, Any]]] = {
    "pixel_kl": (pixel_kl, reference_pixel_kl, (TEACHER, LABEL), {"temperature": 2.0}),
    "pixel_kl, all": (pixel_kl, reference_pixel_kl, (TEACHER, LABEL), {**SCALES, "weight": rand(6, 2, 7, 9)}),
    "pixel_kl, upsampled": (
        pixel_kl,
        reference_pixel_kl,
        (TEACHER, None),
        {"size": (15, 16), "weight": rand(6, 2, 15, 16), "mean_over": "weight", "align_corners": True},
    ),
    "channel_kl": (channel_kl, reference_channel_kl, (TEACHER,), {}),
    "channel_kl, all": (
        channel_kl,
        reference_channel_kl,
        (TEACHER, LABEL),
        {**SCALES, "teacher_channel_scale": rand(5, 2, 5)},
    ),
    "cross_entropy": (cross_entropy, reference_cross_entropy, ((LABEL > 0).long(),), {}),
    "cross_entropy, upsampled": (
        cross_entropy,
        reference_cross_entropy,
        ((rand(7, 2, 15, 16) < 2).long(),),
        {"align_corners": True},
    ),
}


@pytest.fixture(autouse=True)
def tiny_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kernels.tiled.pixel_kl._TILE", 1)
    monkeypatch.setattr("kernels.tiled.channel_kl._TILE", 1)
    monkeypatch.setattr("kernels.tiled.cross_entropy._TILE", 1)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_many_tiles_give_the_definition(name: str, memory_format: torch.memory_format) -> None:
    loss, reference, arguments, settings = CASES[name]
    student = rand(1, 2, 5, 7, 9).contiguous(memory_format=memory_format).requires_grad_()
    found, expected = loss(student, *arguments, **settings), reference(student, *arguments, **settings)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(3 * value, student)[0] for value in (found, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("name", CASES)
def test_backward_may_be_called_again(name: str) -> None:
    loss, _, arguments, settings = CASES[name]
    student = rand(1, 2, 5, 7, 9).requires_grad_()
    value = loss(student, *arguments, **settings)
    first, second = (torch.autograd.grad(3 * value, student, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(
    ("cells", "outputs"), [((3, 4), (7, 9)), ((1, 1), (5, 2)), ((4, 6), (3, 6)), ((150, 90), (160, 95))]
)
def test_upsampling_is_that_of_torch(cells: tuple[int, int], outputs: tuple[int, int], align_corners: bool) -> None:
    logits = rand(1, 1, 2, *cells).requires_grad_()
    found = upsample(logits, outputs, align_corners)
    expected = F.interpolate(logits, outputs, mode="bilinear", align_corners=align_corners)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(m.square().sum(), logits)[0] for m in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_the_reference_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the tiled form ran")

    monkeypatch.setattr("kernels.tiled.pixel_kl._log_softmax", refuse)
    monkeypatch.setenv("SEGDISTILL_KERNELS", "reference")
    assert pixel_kl(rand(1, 2, 5, 7, 9), TEACHER) > 0


def test_an_unknown_choice_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGDISTILL_KERNELS", "cuda")
    with pytest.raises(ValueError, match="must be reference or triton"):
        pixel_kl(rand(1, 2, 5, 7, 9), TEACHER)


def test_triton_on_the_cpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("triton")
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    monkeypatch.setenv("SEGDISTILL_KERNELS", "triton")
    with pytest.raises(ValueError, match="is on cpu"):
        pixel_kl(rand(1, 2, 5, 7, 9).float(), TEACHER.float())
