"""Attention among the pixels of each block of a map."""

import torch
from torch import Tensor
from torch.nn import functional as F


def position_attention(query: Tensor, key: Tensor, value: Tensor, *, temperature: float = 2.0, grid: int = 5) -> Tensor:
    """Σ_j softmax_j(q_i·k_j / τ) v_j over the pixels j of the block of pixel i; blocks are a ``grid`` × ``grid``.

    The position attention of CSKD (Karine et al., PRL 180, 2024) without its γ and its sum with the input. It runs on
    `torch.nn.functional.scaled_dot_product_attention`: fused on a GPU, where a block's P×P weights never exist. Sides
    that ``grid`` does not divide give blocks whose sides differ by one.

    Args:
        query: ``(N, D', H, W)``.
        key: ``(N, D', H, W)``.
        value: ``(N, D, H, W)``.
        temperature: τ_sa.
        grid: blocks along each side; never more than the side has pixels.

    Returns:
        ``(N, D, H, W)``.
    """
    # Not slices: the backward pass of each would fill a map of the whole size.
    rows = zip(*(torch.tensor_split(m, block_bounds(m.shape[2], grid), 2) for m in (query, key, value)), strict=True)
    return torch.cat([_attend_row(row, temperature, grid) for row in rows], 2)


def _attend_row(maps: tuple[Tensor, ...], temperature: float, grid: int) -> Tensor:
    """The blocks of one row of blocks."""
    attended = []
    for blocks in zip(*(torch.tensor_split(m, block_bounds(m.shape[3], grid), 3) for m in maps), strict=True):
        q, k, v = (m.flatten(2).mT for m in blocks)
        out = F.scaled_dot_product_attention(q, k, v, scale=1 / temperature)
        attended.append(out.mT.reshape(blocks[2].shape))
    return torch.cat(attended, 3)


def reference_position_attention(
    query: Tensor, key: Tensor, value: Tensor, *, temperature: float = 2.0, grid: int = 5
) -> Tensor:
    """`position_attention` as its formula reads, a mask in the place of the blocks."""
    height, width = value.shape[-2:]
    row, column = (
        torch.bucketize(torch.arange(n), torch.tensor(block_bounds(n, grid)), right=True) for n in (height, width)
    )
    block = (row[:, None] * grid + column).flatten().to(value.device)
    apart = block[:, None] != block
    scores = query.flatten(2).mT @ key.flatten(2) / temperature
    weights = scores.masked_fill(apart, -torch.inf).softmax(2)
    return (value.flatten(2) @ weights.mT).view(value.shape)


def block_bounds(side: int, grid: int) -> list[int]:
    """Where blocks of ``side`` pixels begin, but for the first; one a pixel where pixels are fewer than blocks."""
    count = min(grid, side)
    return [side * step // count for step in range(1, count)]
