from typing import Any

import pytest
import torch
from torch import Tensor

from kernels import position_attention
from kernels.position_attention import reference_position_attention


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
def test_agrees_with_the_masked_form_for_any_sides(size: tuple[int, int]) -> None:
    maps = [randn(seed, 2, 3, *size).requires_grad_() for seed in (1, 2, 3)]
    found, expected = position_attention(*maps), reference_position_attention(*maps)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad(attended.square().sum(), maps) for attended in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_no_matrix_of_pixels_by_pixels_is_made(largest_tensor: Any) -> None:
    maps = [randn(seed, 1, 4, 40, 40).requires_grad_() for seed in (1, 2, 3)]
    with largest_tensor() as made:
        position_attention(*maps).sum().backward()
    assert made.elements <= (40 * 40) ** 2 // 20
