"""Attention among the pixels of each block of a map."""

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.choice import use_reference
from kernels.tiled.position_attention import tiled_position_attention


def position_attention(query: Tensor, key: Tensor, value: Tensor, *, temperature: float = 2.0, grid: int = 5) -> Tensor:
    """Σ_j softmax_j(q_i·k_j / τ) v_j over the pixels j of the block of pixel i; blocks are a ``grid`` × ``grid``.

    The position attention of CSKD (Karine et al., PRL 180, 2024) without its γ and its sum with the input. On a GPU it
    runs on `torch.nn.functional.scaled_dot_product_attention`, which is fused: all blocks of a size are one call. On a
    CPU that would copy pixels next to channels, and is slower than products of the maps as they are. Neither holds the
    weights of all blocks. Sides that ``grid`` does not divide give blocks whose sides differ by one.

    Args:
        query: ``(N, D', H, W)``.
        key: ``(N, D', H, W)``.
        value: ``(N, D, H, W)``.
        temperature: τ_sa.
        grid: blocks along each side; never more than the side has pixels.

    Returns:
        ``(N, D, H, W)``.
    """
    if use_reference():
        return reference_position_attention(query, key, value, temperature=temperature, grid=grid)
    if query.is_cuda:
        return fused_position_attention(query, key, value, temperature=temperature, grid=grid)
    rows, columns = (block_bounds(side, grid) for side in value.shape[2:])
    with torch.autocast(query.device.type, enabled=False):
        attended: Tensor = tiled_position_attention(query, key, value, rows, columns, temperature)
    return attended


def fused_position_attention(query: Tensor, key: Tensor, value: Tensor, *, temperature: float, grid: int) -> Tensor:
    """`position_attention` by the fused kernels, which want ``(N, blocks, pixels, D)`` with D next to each other."""
    height, width = value.shape[2:]
    blocks = _pixels_of_blocks(height, width, grid)
    order = torch.cat([pixels.flatten() for pixels in blocks]).to(value.device)
    counts = [pixels.numel() for pixels in blocks]
    maps = (torch.split(m.flatten(2).index_select(2, order), counts, 2) for m in (query, key, value))
    attended = []
    for pixels, of_size in zip(blocks, zip(*maps, strict=True), strict=True):
        q, k, v = (m.unflatten(2, pixels.shape).permute(0, 2, 3, 1).contiguous() for m in of_size)
        out = F.scaled_dot_product_attention(q, k, v, scale=1 / temperature)
        attended.append(out.permute(0, 3, 1, 2).flatten(2))
    return torch.cat(attended, 2).index_select(2, order.argsort()).view(value.shape)


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


def _pixels_of_blocks(height: int, width: int, grid: int) -> list[Tensor]:
    """Indices ``(blocks, pixels of a block)`` for each size that blocks have, at most four."""
    by_size: dict[tuple[int, int], list[Tensor]] = {}
    for rows in torch.arange(height * width).view(height, width).tensor_split(block_bounds(height, grid), 0):
        for block in rows.tensor_split(block_bounds(width, grid), 1):
            by_size.setdefault((block.shape[0], block.shape[1]), []).append(block.flatten())
    return [torch.stack(blocks) for blocks in by_size.values()]
