"""`kernels.position_attention` a block at a time, some rows of its weights at a time, as one operator."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from kernels.precision import accumulable

# Elements of a tile of weights: a megabyte in fp32.
_TILE = 1 << 18


@torch.library.custom_op("segdistill::tiled_position_attention", mutates_args=())
def tiled_position_attention(
    query: Tensor, key: Tensor, value: Tensor, rows: list[int], columns: list[int], temperature: float
) -> Tensor:
    """Of maps ``(N, D, H, W)``; blocks begin at ``rows`` and ``columns``, besides at 0."""
    attended = torch.empty_like(value)
    for q, k, v, out in _blocks((query, key, value, attended), rows, columns):
        flat_q, flat_k, flat_v = (accumulable(m).flatten(2) for m in (q / temperature, k, v))
        found = torch.empty_like(flat_v)
        for tile, weights in _weights(flat_q, flat_k):
            found[:, :, tile] = flat_v @ weights.mT
        out.copy_(found.view(out.shape))
    return attended


@torch.library.custom_op("segdistill::tiled_position_attention_gradient", mutates_args=())
def tiled_position_attention_gradient(
    gradient: Tensor,
    attended: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    rows: list[int],
    columns: list[int],
    temperature: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Of query, key and value; the weights of a block are computed anew."""
    gradients = torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)
    for block in _blocks((gradient, attended, query, key, value, *gradients), rows, columns):
        slope, out, q, k, v = (accumulable(m).flatten(2) for m in block[:5])
        q = q / temperature
        of_q, of_k, of_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
        # Σ_j w_ij ∂w_ij is the product of a pixel's output with its gradient.
        own = (slope * out).sum(1)
        for tile, weights in _weights(q, k):
            of_v.baddbmm_(slope[:, :, tile], weights)
            of_scores = (slope[:, :, tile].mT @ v).sub_(own[:, tile, None]).mul_(weights)
            of_q[:, :, tile] = k @ of_scores.mT
            of_k.baddbmm_(q[:, :, tile], of_scores)
        for target, found in zip(block[5:], (of_q.div_(temperature), of_k, of_v), strict=True):
            target.copy_(found.view(target.shape))
    return gradients


def _blocks(maps: tuple[Tensor, ...], rows: list[int], columns: list[int]) -> Iterator[tuple[Tensor, ...]]:
    """Views of the same block of each map."""
    for in_rows in zip(*(m.tensor_split(rows, 2) for m in maps), strict=True):
        yield from zip(*(m.tensor_split(columns, 3) for m in in_rows), strict=True)


def _weights(query: Tensor, key: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """softmax_j(q_i·k_j) ``(N, tile, L)`` of tiles of the pixels i of a block ``(N, D, L)``."""
    batch, _, pixels = key.shape
    step = max(16, _TILE // (batch * pixels))
    for start in range(0, pixels, step):
        tile = slice(start, start + step)
        yield tile, (query[:, :, tile].mT @ key).softmax(2)


@tiled_position_attention.register_fake
def _(query: Tensor, key: Tensor, value: Tensor, *_: object) -> Tensor:  # noqa: ARG001
    return torch.empty_like(value)


@tiled_position_attention_gradient.register_fake
def _(
    gradient: Tensor,  # noqa: ARG001
    attended: Tensor,  # noqa: ARG001
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *_: object,
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(query), torch.empty_like(key), torch.empty_like(value)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.settings = inputs[3:]
    ctx.save_for_backward(output, *inputs[:3])


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    # It may be asked for within autocast, which would round its products.
    with torch.autocast(gradient.device.type, enabled=False):
        gradients = tiled_position_attention_gradient(gradient, *ctx.saved_tensors, *ctx.settings)
    return (*gradients, None, None, None)


tiled_position_attention.register_autograd(_backward, setup_context=_save)
