"""What holds of every operation for any size, found by search."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.kernels.operations import OPERATIONS, Operation, seeded

few = settings(max_examples=8, deadline=None)
sides = st.integers(1, 9)


def named(operations: list[Operation]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("operation", operations, ids=lambda operation: operation.name)


def shuffled(tensor: Tensor, order: Tensor) -> Tensor:
    return tensor.flatten(-2)[..., order].view_as(tensor)


@named([operation for operation in OPERATIONS if not operation.order_matters])
@few
@given(height=sides, width=sides, seed=st.integers(0, 99))
def test_order_of_pixels_changes_nothing(operation: Operation, height: int, width: int, seed: int) -> None:
    inputs = operation.inputs(height=height, width=width)
    order = torch.randperm(height * width, generator=seeded(seed))
    expected, gradient = operation.loss_and_gradient(*inputs)
    loss, found = operation.loss_and_gradient(*(shuffled(m, order) for m in inputs))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(found, shuffled(gradient, order))


@named([operation for operation in OPERATIONS if not operation.copies_matter])
@few
@given(height=sides, width=sides, extra=st.integers(0, 2), copies=st.integers(2, 4))
def test_copies_of_the_batch_change_nothing(
    operation: Operation, height: int, width: int, extra: int, copies: int
) -> None:
    inputs = operation.inputs(operation.least_images + extra, height, width)
    expected, gradient = operation.loss_and_gradient(*inputs)
    loss, found = operation.loss_and_gradient(*(m.repeat(copies, *[1] * (m.dim() - 1)) for m in inputs))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(found.unflatten(0, (copies, -1)).sum(0), gradient)


TILED = ("pixel_kl", "channel_kl", "cross_entropy", "attention_kl")


@named([operation for operation in OPERATIONS if operation.name.startswith(TILED)])
@few
@given(height=st.integers(1, 12), width=st.integers(1, 12), elements=st.integers(1, 400))
def test_size_of_tiles_changes_nothing(operation: Operation, height: int, width: int, elements: int) -> None:
    inputs = operation.inputs(2, height, width)
    expected, gradient = operation.loss_and_gradient(*inputs)
    with pytest.MonkeyPatch.context() as patch:
        for name in TILED:
            patch.setattr(f"kernels.tiled.{name}._TILE", elements)
        patch.setattr("kernels.tiled.attention_kl._ROWS", 1)
        loss, found = operation.loss_and_gradient(*inputs)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(found, gradient)
