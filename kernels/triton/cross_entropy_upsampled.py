"""`kernels.cross_entropy` of low-resolution logits: no tensor of the label's resolution and C channels exists.

Backward, a program owns some *cells*, the squares between four neighbouring logits; see
`kernels.triton.pixel_kl_upsampled`.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.triton.bilinear import add_corners, axis, corners, upsampled
from kernels.triton.layout import gradient_like, tile
from kernels.triton.operator import operator
from kernels.triton.softmax import log_softmax


@triton.jit
def cross_entropy_upsampled_forward_kernel(
    logits_ptr,  # (N, C, h, w), strides logits_*
    label_ptr,  # (N, H, W)
    lower_y_ptr,  # (H,), as the next; then two (W,)
    weight_y_ptr,
    lower_x_ptr,
    weight_x_ptr,
    sum_ptr,  # (N, tiles, 2): Σ -log q[y], number of valid pixels
    channels,
    height,  # H
    width,  # W
    logits_n,
    logits_c,
    logits_h,
    logits_w,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    image = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    in_image = pixel < height * width
    pixel = tl.minimum(pixel, height * width - 1)
    y, x = pixel // width, pixel % width
    cell_y, cell_x = tl.load(lower_y_ptr + y).to(tl.int64), tl.load(lower_x_ptr + x).to(tl.int64)
    wy, wx = tl.load(weight_y_ptr + y), tl.load(weight_x_ptr + x)
    channel = tl.arange(0, BLOCK_C).to(tl.int64)
    inside = (channel < channels)[:, None]
    z = upsampled(
        logits_ptr, image * logits_n + channel[:, None] * logits_c,
        cell_y[None, :], wy[None, :], cell_x[None, :], wx[None, :], logits_h, logits_w, inside & in_image[None, :],
    )  # fmt: skip
    label = tl.load(label_ptr + image * height * width + pixel, mask=in_image, other=255).to(tl.int32)
    valid = label != 255
    chosen = (channel[:, None] == label[None, :]) & valid[None, :]
    out = sum_ptr + (image * tl.num_programs(0) + tl.program_id(0)) * 2
    tl.store(out, -tl.sum(tl.where(chosen, log_softmax(z, inside), 0.0)))
    tl.store(out + 1, tl.sum(valid.to(tl.float32)))


@triton.jit
def cross_entropy_upsampled_backward_kernel(
    logits_ptr,  # (N, C, h, w), strides logits_*
    label_ptr,  # (N, H, W)
    first_y_ptr,  # (h + 1,) output rows of the cells
    weight_y_ptr,  # (H,)
    first_x_ptr,  # (w + 1,)
    weight_x_ptr,  # (W,)
    coefficient_ptr,  # (): incoming gradient / number of valid pixels
    gradient_ptr,  # (N, C, h, w) fp32, strides gradient_*
    channels,
    rows,  # h
    columns,  # w
    height,  # H
    width,  # W
    most_x,  # output columns of the fullest cell
    odd_y,  # parity of the rows of this launch's cells
    odd_x,
    logits_n,
    logits_c,
    logits_h,
    logits_w,
    gradient_n,
    gradient_c,
    gradient_h,
    gradient_w,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    image = tl.program_id(2).to(tl.int64)
    cell_y = tl.program_id(1).to(tl.int64) * 2 + odd_y
    cell_x = (tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)) * 2 + odd_x
    channel = tl.arange(0, BLOCK_C).to(tl.int64)
    inside, in_row = (channel < channels)[:, None], cell_x < columns
    mask = inside & in_row[None, :]
    z_a, z_b, z_c, z_d = corners(
        logits_ptr, image * logits_n + channel[:, None] * logits_c, cell_y, cell_x[None, :], rows, columns,
        logits_h, logits_w, mask,
    )  # fmt: skip
    g_a = tl.zeros([BLOCK_C, BLOCK_P], tl.float32)
    g_b, g_c, g_d = g_a, g_a, g_a
    coefficient = tl.load(coefficient_ptr)
    start_x = tl.load(first_x_ptr + cell_x, mask=in_row, other=0).to(tl.int64)
    stop_x = tl.load(first_x_ptr + cell_x + 1, mask=in_row, other=0).to(tl.int64)
    for y in range(tl.load(first_y_ptr + cell_y), tl.load(first_y_ptr + cell_y + 1)):
        wy = tl.load(weight_y_ptr + y)
        for step in range(most_x):
            visited = start_x + step < stop_x
            x = tl.minimum(start_x + step, width - 1)
            wx = tl.load(weight_x_ptr + x)[None, :]
            z = (z_a * (1 - wx) + z_b * wx) * (1 - wy) + (z_c * (1 - wx) + z_d * wx) * wy
            label = tl.load(label_ptr + (image * height + y) * width + x, mask=visited, other=255).to(tl.int32)
            target = (channel[:, None] == label[None, :]).to(tl.float32)
            gradient = (tl.exp(log_softmax(z, inside)) - target) * tl.where(label != 255, coefficient, 0.0)[None, :]
            g_a += gradient * ((1 - wx) * (1 - wy))
            g_b += gradient * (wx * (1 - wy))
            g_c += gradient * ((1 - wx) * wy)
            g_d += gradient * (wx * wy)
    add_corners(
        gradient_ptr, image * gradient_n + channel[:, None] * gradient_c, cell_y, cell_x[None, :], rows, columns,
        gradient_h, gradient_w, g_a, g_b, g_c, g_d, mask,
    )  # fmt: skip


@operator("cross_entropy_upsampled")
def cross_entropy_upsampled_sums(logits: Tensor, label: Tensor, align_corners: bool) -> Tensor:
    """(Σ -log q[y], number of valid pixels) ``(2,)``; `kernels.cross_entropy` tells the arguments."""
    z, label = logits.detach(), label.contiguous()
    batch, channels, rows, columns = z.shape
    height, width = label.shape[-2:]
    # Four taps of a map are read at once.
    block = tile(channels, elements=2048)
    tiles = triton.cdiv(height * width, block.pixels)
    sums = torch.empty(batch, tiles, 2, dtype=torch.float32, device=logits.device)
    y, x = axis(rows, height, align_corners, z.device), axis(columns, width, align_corners, z.device)
    cross_entropy_upsampled_forward_kernel[(tiles, batch)](
        z, label, y.lower, y.weight, x.lower, x.weight, sums, channels, height, width, *z.stride(),
        BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
    )  # fmt: skip
    return sums.sum((0, 1))


@operator("cross_entropy_upsampled_gradient")
def cross_entropy_upsampled_gradient(
    coefficient: Tensor, logits: Tensor, label: Tensor, align_corners: bool
) -> Tensor:  # fmt: skip
    """The gradient of ``coefficient`` ``()`` · Σ -log q[y], of the logits' shape and dtype."""
    z, label = logits.detach(), label.contiguous()
    batch, channels, rows, columns = z.shape
    height, width = label.shape[-2:]
    # Eight tiles live at once, the corners and their gradients.
    block = tile(channels, elements=1024)
    gradient = gradient_like(z, torch.float32).zero_()
    y, x = axis(rows, height, align_corners, z.device), axis(columns, width, align_corners, z.device)
    for odd_y, odd_x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        grid = (triton.cdiv((columns - odd_x + 1) // 2, block.pixels), (rows - odd_y + 1) // 2, batch)
        if 0 in grid:
            continue
        cross_entropy_upsampled_backward_kernel[grid](
            z, label, y.first, y.weight, x.first, x.weight, coefficient, gradient,
            channels, rows, columns, height, width, x.most, odd_y, odd_x, *z.stride(), *gradient.stride(),
            BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
        )  # fmt: skip
    return gradient.to(logits.dtype)


@cross_entropy_upsampled_sums.register_fake
def _(logits: Tensor, label: Tensor, align_corners: bool) -> Tensor:  # noqa: ARG001
    return logits.new_empty(2, dtype=torch.float32)


@cross_entropy_upsampled_gradient.register_fake
def _(coefficient: Tensor, logits: Tensor, label: Tensor, align_corners: bool) -> Tensor:  # noqa: ARG001
    return gradient_like(logits)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    logits, label, ctx.align_corners = inputs
    ctx.save_for_backward(logits, label)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    logits = cross_entropy_upsampled_gradient(gradient[0], *ctx.saved_tensors, ctx.align_corners)
    return logits, None, None


cross_entropy_upsampled_sums.register_autograd(_backward, setup_context=_save)
