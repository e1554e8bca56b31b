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
    rows, columns = (_spans(side, grid) for side in value.shape[-2:])

    def attended(block: tuple[slice, slice]) -> Tensor:
        q, k, v = (m[:, :, block[0], block[1]].flatten(2).mT for m in (query, key, value))
        out = F.scaled_dot_product_attention(q, k, v, scale=1 / temperature)
        return out.mT.reshape(*value.shape[:2], block[0].stop - block[0].start, -1)

    return torch.cat([torch.cat([attended((row, column)) for column in columns], 3) for row in rows], 2)


def reference_position_attention(
    query: Tensor, key: Tensor, value: Tensor, *, temperature: float = 2.0, grid: int = 5
) -> Tensor:
    """`position_attention` as its formula reads, a mask in the place of the blocks."""
    height, width = value.shape[-2:]
    rows, columns = (_spans(side, grid) for side in (height, width))
    row = torch.tensor([index for index, span in enumerate(rows) for _ in range(span.start, span.stop)])
    column = torch.tensor([index for index, span in enumerate(columns) for _ in range(span.start, span.stop)])
    block = (row[:, None] * grid + column).flatten().to(value.device)
    apart = block[:, None] != block
    scores = query.flatten(2).mT @ key.flatten(2) / temperature
    weights = scores.masked_fill(apart, -torch.inf).softmax(2)
    return (value.flatten(2) @ weights.mT).view(value.shape)


def _spans(side: int, grid: int) -> list[slice]:
    """``side`` pixels in ``grid`` spans, or one a pixel where there are fewer."""
    count = min(grid, side)
    return [slice(side * step // count, side * (step + 1) // count) for step in range(count)]
