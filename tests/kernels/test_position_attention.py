from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernels import position_attention
from kernels.position_attention import fused_position_attention, reference_position_attention

few = settings(max_examples=20, deadline=None)


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_pixels_attend_to_those_of_their_block() -> None:
    query, key, value = randn(1, 1, 2, 4, 6), randn(2, 1, 2, 4, 6), randn(3, 1, 3, 4, 6)
    attended = position_attention(query, key, value, temperature=3.0, grid=2)
    for y, x in [(0, 0), (1, 2), (2, 3), (3, 5)]:
        rows, columns = slice(y // 2 * 2, y // 2 * 2 + 2), slice(x // 3 * 3, x // 3 * 3 + 3)
        scores = torch.einsum("c,chw->hw", query[0, :, y, x], key[0, :, rows, columns]) / 3
        weights = scores.exp() / scores.exp().sum()
        expected = (value[0, :, rows, columns] * weights).sum((1, 2))
        torch.testing.assert_close(attended[0, :, y, x], expected)


@pytest.mark.parametrize("size", [(10, 15), (7, 9), (3, 1)])
@pytest.mark.parametrize("attend", [position_attention, fused_position_attention])
def test_agrees_with_the_masked_form_for_any_sides(attend: Callable[..., Tensor], size: tuple[int, int]) -> None:
    maps = [randn(seed, 2, channels, *size).requires_grad_() for seed, channels in enumerate((3, 3, 4))]
    found, expected = (m(*maps, temperature=2.0, grid=5) for m in (attend, reference_position_attention))
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(attended.square().sum(), maps) for attended in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@few
@given(height=st.integers(1, 9), width=st.integers(1, 9), grid=st.integers(1, 6), elements=st.integers(1, 400))
def test_agrees_for_any_grid_and_tile(height: int, width: int, grid: int, elements: int) -> None:
    maps = [randn(seed, 2, 3, height, width).requires_grad_() for seed in range(3)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kernels.tiled.position_attention._TILE", elements)
        found = position_attention(*maps, grid=grid)
        gradients = torch.autograd.grad(found.square().sum(), maps)
    expected = reference_position_attention(*maps, grid=grid)
    torch.testing.assert_close(found, expected)
    for one, other in zip(gradients, torch.autograd.grad(expected.square().sum(), maps), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_rounded_once(dtype: torch.dtype) -> None:
    maps = [randn(seed, 2, 3, 7, 9).to(dtype).requires_grad_() for seed in range(3)]
    attended = position_attention(*maps)
    expected = reference_position_attention(*(m.detach().double() for m in maps))
    assert attended.dtype == dtype
    torch.testing.assert_close(attended.double(), expected, rtol=torch.finfo(dtype).eps, atol=1e-6)


def test_a_gradient_taken_within_autocast_is_not_rounded() -> None:
    maps = [randn(seed, 2, 3, 6, 7).float().requires_grad_() for seed in range(3)]
    expected = torch.autograd.grad(position_attention(*maps).square().sum(), maps)
    with torch.autocast("cpu", torch.bfloat16):
        found = torch.autograd.grad(position_attention(*maps).square().sum(), maps)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
