"""Every operation inside a training step that is compiled, in mixed precision, or both."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tests.kernels.operations import OPERATIONS, Operation, seeded

each_form = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
each_operation = pytest.mark.parametrize(
    "operation", [operation for operation in OPERATIONS if "," not in operation.name], ids=lambda form: form.name
)


@pytest.fixture(autouse=True)
def fresh_compiler() -> Iterator[None]:
    yield
    torch.compiler.reset()


def step(operation: Operation, *, autocast: bool, backend: str | None) -> tuple[Tensor, Tensor]:
    """Loss, and the gradient of the weights of the convolution that makes the student's map."""
    images = torch.randn(4, 3, 5, 6, generator=seeded(7))
    _, teacher, label = operation.inputs(4, dtype=torch.float32)
    weight = torch.randn(operation.channels, 3, 3, 3, generator=seeded(8)).div_(2).requires_grad_()

    def loss(weight: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            return operation.loss(F.conv2d(images, weight, padding=1), teacher, label)

    run: Callable[[Tensor], Any] = loss if backend is None else torch.compile(loss, fullgraph=True, backend=backend)
    value = run(weight)
    value.backward()
    assert weight.grad is not None
    return value.detach(), weight.grad


@each_operation
def test_compiles_without_a_break_in_mixed_precision(operation: Operation) -> None:
    found = step(operation, autocast=True, backend="aot_eager")
    for one, other in zip(found, step(operation, autocast=True, backend=None), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@each_form
@pytest.mark.parametrize("autocast", [False, True], ids=["single", "mixed"])
@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
def test_every_form_compiles(operation: Operation, backend: str, autocast: bool) -> None:
    found = step(operation, autocast=autocast, backend=backend)
    # Fused code rounds to bf16 less often.
    precision = torch.finfo(torch.bfloat16).eps if autocast else 1e-4
    for one, other in zip(found, step(operation, autocast=autocast, backend=None), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=precision * other.abs().max().item())


@each_form
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_costs_no_precision(operation: Operation, dtype: torch.dtype) -> None:
    inputs = operation.inputs(dtype=dtype)
    expected, expected_gradient = operation.loss_and_gradient(*inputs)
    leaf = inputs.student.detach().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = operation.loss(leaf, inputs.teacher, inputs.label)
    (gradient,) = torch.autograd.grad(loss, leaf)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, expected_gradient)
