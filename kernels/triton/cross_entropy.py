"""`kernels.cross_entropy` on the GPU, for logits at the label's resolution: read once a direction."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.triton.layout import flat_pixels, gradient_like, tile
from kernels.triton.operator import operator
from kernels.triton.softmax import log_softmax


@triton.jit
def cross_entropy_forward_kernel(
    logits_ptr,  # (N, C, P), strides logits_n, logits_c, logits_p
    label_ptr,  # (N, P)
    sum_ptr,  # (N, tiles, 2): Σ -log q[y], number of valid pixels
    channels,
    pixels,
    logits_n,
    logits_c,
    logits_p,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    image = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    channel = tl.arange(0, BLOCK_C).to(tl.int64)
    in_image, inside = pixel < pixels, (channel < channels)[:, None]
    offset = image * logits_n + channel[:, None] * logits_c + pixel[None, :] * logits_p
    z = tl.load(logits_ptr + offset, mask=inside & in_image[None, :], other=0.0).to(tl.float32)
    label = tl.load(label_ptr + image * pixels + pixel, mask=in_image, other=255).to(tl.int32)
    valid = label != 255
    chosen = (channel[:, None] == label[None, :]) & valid[None, :]
    out = sum_ptr + (image * tl.num_programs(0) + tl.program_id(0)) * 2
    tl.store(out, -tl.sum(tl.where(chosen, log_softmax(z, inside), 0.0)))
    tl.store(out + 1, tl.sum(valid.to(tl.float32)))


@triton.jit
def cross_entropy_backward_kernel(
    logits_ptr,  # (N, C, P), strides logits_n, logits_c, logits_p
    label_ptr,  # (N, P)
    coefficient_ptr,  # (): incoming gradient / number of valid pixels
    gradient_ptr,  # (N, C, P), strides gradient_n, gradient_c, gradient_p
    channels,
    pixels,
    logits_n,
    logits_c,
    logits_p,
    gradient_n,
    gradient_c,
    gradient_p,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    image = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    channel = tl.arange(0, BLOCK_C).to(tl.int64)
    in_image, inside = pixel < pixels, (channel < channels)[:, None]
    mask = inside & in_image[None, :]
    offset = image * logits_n + channel[:, None] * logits_c + pixel[None, :] * logits_p
    z = tl.load(logits_ptr + offset, mask=mask, other=0.0).to(tl.float32)
    label = tl.load(label_ptr + image * pixels + pixel, mask=in_image, other=255).to(tl.int32)
    target = (channel[:, None] == label[None, :]).to(tl.float32)
    coefficient = tl.where(label != 255, tl.load(coefficient_ptr), 0.0)
    gradient = (tl.exp(log_softmax(z, inside)) - target) * coefficient[None, :]
    offset = image * gradient_n + channel[:, None] * gradient_c + pixel[None, :] * gradient_p
    tl.store(gradient_ptr + offset, gradient, mask=mask)


@operator("cross_entropy")
def cross_entropy_sums(logits: Tensor, label: Tensor) -> Tensor:
    """(Σ -log q[y], number of valid pixels) ``(2,)``; `kernels.cross_entropy` tells the arguments."""
    z, label = flat_pixels(logits), label.contiguous()
    batch, channels, pixels = z.shape
    block = tile(channels)
    tiles = triton.cdiv(pixels, block.pixels)
    sums = torch.empty(batch, tiles, 2, dtype=torch.float32, device=logits.device)
    cross_entropy_forward_kernel[(tiles, batch)](
        z, label, sums, channels, pixels, *z.stride(),
        BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
    )  # fmt: skip
    return sums.sum((0, 1))


@operator("cross_entropy_gradient")
def cross_entropy_gradient(coefficient: Tensor, logits: Tensor, label: Tensor) -> Tensor:
    """The gradient of ``coefficient`` ``()`` · Σ -log q[y], of the logits' shape and dtype."""
    z, label, gradient = flat_pixels(logits), label.contiguous(), gradient_like(logits)
    batch, channels, pixels = z.shape
    block, out = tile(channels), gradient.flatten(2)
    cross_entropy_backward_kernel[(triton.cdiv(pixels, block.pixels), batch)](
        z, label, coefficient, out, channels, pixels, *z.stride(), *out.stride(),
        BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
    )  # fmt: skip
    return gradient


@cross_entropy_sums.register_fake
def _(logits: Tensor, label: Tensor) -> Tensor:  # noqa: ARG001
    return logits.new_empty(2, dtype=torch.float32)


@cross_entropy_gradient.register_fake
def _(coefficient: Tensor, logits: Tensor, label: Tensor) -> Tensor:  # noqa: ARG001
    return gradient_like(logits)


def _save(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG001
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    return cross_entropy_gradient(gradient[0], *ctx.saved_tensors), None


cross_entropy_sums.register_autograd(_backward, setup_context=_save)
