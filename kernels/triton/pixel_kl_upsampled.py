"""`kernels.pixel_kl` at a higher resolution than its logits': no tensor of that resolution and C channels exists.

Backward, a program owns some *cells*, the squares between four neighbouring logits: it visits their output pixels with
the four corners in registers and sums the corners' gradients there. Neighbouring cells share corners, so the cells go
in four launches, by the parity of row and column: no atomics, and the same bits in every run.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.triton.bilinear import add_corners, axis, corners, upsampled
from kernels.triton.layout import gradient_like, tile
from kernels.triton.operator import operator
from kernels.triton.pixel_maps import pixel_maps, scale_at, weight_at
from kernels.triton.softmax import log_softmax


@triton.jit
def _sample(
    map_ptr, offset, y, x, lower_y_ptr, weight_y_ptr, lower_x_ptr, weight_x_ptr, stride_h, stride_w, mask
):  # fmt: skip
    """The map upsampled at output pixels (y, x) ``[P]``: ``[C, P]``."""
    cell_y = tl.load(lower_y_ptr + y).to(tl.int64)
    cell_x = tl.load(lower_x_ptr + x).to(tl.int64)
    wy, wx = tl.load(weight_y_ptr + y), tl.load(weight_x_ptr + x)
    return upsampled(
        map_ptr, offset, cell_y[None, :], wy[None, :], cell_x[None, :], wx[None, :], stride_h, stride_w, mask
    )  # fmt: skip


@triton.jit
def pixel_kl_upsampled_forward_kernel(
    student_ptr,  # (N, C, h, w), strides student_*
    teacher_ptr,  # (N, C, h', w'), strides teacher_*
    label_ptr,  # (N, H, W), as the next three
    student_scale_ptr,
    teacher_scale_ptr,
    weight_ptr,
    student_lower_y_ptr,  # (H,), as the next; then two (W,)
    student_weight_y_ptr,
    student_lower_x_ptr,
    student_weight_x_ptr,
    teacher_lower_y_ptr,
    teacher_weight_y_ptr,
    teacher_lower_x_ptr,
    teacher_weight_x_ptr,
    sum_ptr,  # (N, tiles, 3): Σ w KL, Σ w, number of valid pixels
    channels,
    height,  # H
    width,  # W
    student_n,
    student_c,
    student_h,
    student_w,
    teacher_n,
    teacher_c,
    teacher_h,
    teacher_w,
    factor,  # 1 / τ
    LABELLED: tl.constexpr,
    STUDENT_SCALED: tl.constexpr,
    TEACHER_SCALED: tl.constexpr,
    WEIGHTED: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    image = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    in_image = pixel < height * width
    pixel = tl.minimum(pixel, height * width - 1)
    y, x, at = pixel // width, pixel % width, image * height * width + pixel
    channel = tl.arange(0, BLOCK_C).to(tl.int64)
    inside = (channel < channels)[:, None]
    mask = inside & in_image[None, :]
    z = _sample(
        student_ptr, image * student_n + channel[:, None] * student_c, y, x,
        student_lower_y_ptr, student_weight_y_ptr, student_lower_x_ptr, student_weight_x_ptr,
        student_h, student_w, mask,
    )  # fmt: skip
    log_q = log_softmax(z * scale_at(student_scale_ptr, at, in_image, factor, STUDENT_SCALED)[None, :], inside)
    z = _sample(
        teacher_ptr, image * teacher_n + channel[:, None] * teacher_c, y, x,
        teacher_lower_y_ptr, teacher_weight_y_ptr, teacher_lower_x_ptr, teacher_weight_x_ptr,
        teacher_h, teacher_w, mask,
    )  # fmt: skip
    log_p = log_softmax(z * scale_at(teacher_scale_ptr, at, in_image, factor, TEACHER_SCALED)[None, :], inside)
    divergence = tl.sum(tl.exp(log_p) * (log_p - log_q), 0)
    weight, valid = weight_at(label_ptr, weight_ptr, at, in_image, LABELLED, WEIGHTED)
    out = sum_ptr + (image * tl.num_programs(0) + tl.program_id(0)) * 3
    tl.store(out, tl.sum(weight * divergence))
    tl.store(out + 1, tl.sum(weight))
    tl.store(out + 2, tl.sum(valid))


@triton.jit
def pixel_kl_upsampled_backward_kernel(
    student_ptr,  # (N, C, h, w), strides student_*
    teacher_ptr,  # (N, C, h', w'), strides teacher_*
    label_ptr,  # (N, H, W), as the next three
    student_scale_ptr,
    teacher_scale_ptr,
    weight_ptr,
    first_y_ptr,  # (h + 1,) output rows of the student's cells
    student_weight_y_ptr,  # (H,)
    first_x_ptr,  # (w + 1,)
    student_weight_x_ptr,  # (W,)
    teacher_lower_y_ptr,
    teacher_weight_y_ptr,
    teacher_lower_x_ptr,
    teacher_weight_x_ptr,
    coefficient_ptr,  # (): incoming gradient · τ² / norm
    gradient_ptr,  # (N, C, h, w) fp32, strides gradient_*
    channels,
    student_height,  # h
    student_width,  # w
    height,  # H
    width,  # W
    most_x,  # output columns of the fullest cell
    odd_y,  # parity of the rows of this launch's cells
    odd_x,
    student_n,
    student_c,
    student_h,
    student_w,
    teacher_n,
    teacher_c,
    teacher_h,
    teacher_w,
    gradient_n,
    gradient_c,
    gradient_h,
    gradient_w,
    factor,  # 1 / τ
    LABELLED: tl.constexpr,
    STUDENT_SCALED: tl.constexpr,
    TEACHER_SCALED: tl.constexpr,
    WEIGHTED: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    image = tl.program_id(2).to(tl.int64)
    cell_y = tl.program_id(1).to(tl.int64) * 2 + odd_y
    cell_x = (tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)) * 2 + odd_x
    channel = tl.arange(0, BLOCK_C).to(tl.int64)
    inside, in_row = (channel < channels)[:, None], cell_x < student_width
    mask = inside & in_row[None, :]
    z_a, z_b, z_c, z_d = corners(
        student_ptr, image * student_n + channel[:, None] * student_c, cell_y, cell_x[None, :],
        student_height, student_width, student_h, student_w, mask,
    )  # fmt: skip
    g_a = tl.zeros([BLOCK_C, BLOCK_P], tl.float32)
    g_b, g_c, g_d = g_a, g_a, g_a
    coefficient = tl.load(coefficient_ptr)
    start_x = tl.load(first_x_ptr + cell_x, mask=in_row, other=0).to(tl.int64)
    stop_x = tl.load(first_x_ptr + cell_x + 1, mask=in_row, other=0).to(tl.int64)
    for y in range(tl.load(first_y_ptr + cell_y), tl.load(first_y_ptr + cell_y + 1)):
        wy = tl.load(student_weight_y_ptr + y)
        for step in range(most_x):
            visited = start_x + step < stop_x
            x = tl.minimum(start_x + step, width - 1)
            at = (image * height + y) * width + x
            wx = tl.load(student_weight_x_ptr + x)[None, :]
            z = (z_a * (1 - wx) + z_b * wx) * (1 - wy) + (z_c * (1 - wx) + z_d * wx) * wy
            scale = scale_at(student_scale_ptr, at, visited, factor, STUDENT_SCALED)
            log_q = log_softmax(z * scale[None, :], inside)
            z = _sample(
                teacher_ptr, image * teacher_n + channel[:, None] * teacher_c, tl.zeros_like(x) + y, x,
                teacher_lower_y_ptr, teacher_weight_y_ptr, teacher_lower_x_ptr, teacher_weight_x_ptr,
                teacher_h, teacher_w, inside & visited[None, :],
            )  # fmt: skip
            log_p = log_softmax(z * scale_at(teacher_scale_ptr, at, visited, factor, TEACHER_SCALED)[None, :], inside)
            weight, _ = weight_at(label_ptr, weight_ptr, at, visited, LABELLED, WEIGHTED)
            gradient = (tl.exp(log_q) - tl.exp(log_p)) * (weight * scale * coefficient)[None, :]
            g_a += gradient * ((1 - wx) * (1 - wy))
            g_b += gradient * (wx * (1 - wy))
            g_c += gradient * ((1 - wx) * wy)
            g_d += gradient * (wx * wy)
    add_corners(
        gradient_ptr, image * gradient_n + channel[:, None] * gradient_c, cell_y, cell_x[None, :],
        student_height, student_width, gradient_h, gradient_w, g_a, g_b, g_c, g_d, mask,
    )  # fmt: skip


@operator("pixel_kl_upsampled")
def pixel_kl_upsampled_sums(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None,
    student_scale: Tensor | None,
    teacher_scale: Tensor | None,
    weight: Tensor | None,
    temperature: float,
    height: int,
    width: int,
    align_corners: bool,
) -> Tensor:
    """(Σ w KL, Σ w, number of valid pixels) ``(3,)``; `kernels.pixel_kl` tells the arguments."""
    student, teacher = student.detach(), teacher.detach()
    batch, channels = student.shape[:2]
    # Four taps of a map are read at once.
    block = tile(channels, elements=2048)
    tiles = triton.cdiv(height * width, block.pixels)
    sums = torch.empty(batch, tiles, 3, dtype=torch.float32, device=student.device)
    maps, given = pixel_maps(student, label, student_scale, teacher_scale, weight)
    pixel_kl_upsampled_forward_kernel[(tiles, batch)](
        student, teacher, *maps,
        *_taps(student, height, width, align_corners), *_taps(teacher, height, width, align_corners), sums,
        channels, height, width, *student.stride(), *teacher.stride(), 1 / temperature,
        **given, BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
    )  # fmt: skip
    return sums.sum((0, 1))


@operator("pixel_kl_upsampled_gradient")
def pixel_kl_upsampled_gradient(
    coefficient: Tensor,
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None,
    student_scale: Tensor | None,
    teacher_scale: Tensor | None,
    weight: Tensor | None,
    temperature: float,
    height: int,
    width: int,
    align_corners: bool,
) -> Tensor:
    """The gradient of ``coefficient`` ``()`` · Σ w KL, of the student's shape and dtype."""
    student, teacher = student.detach(), teacher.detach()
    batch, channels, rows, columns = student.shape
    # Eight tiles live at once, the corners and their gradients.
    block = tile(channels, elements=1024)
    gradient = gradient_like(student, torch.float32).zero_()
    maps, given = pixel_maps(student, label, student_scale, teacher_scale, weight)
    y, x = (axis(c, o, align_corners, student.device) for c, o in ((rows, height), (columns, width)))
    for odd_y, odd_x in ((0, 0), (0, 1), (1, 0), (1, 1)):
        grid = (triton.cdiv((columns - odd_x + 1) // 2, block.pixels), (rows - odd_y + 1) // 2, batch)
        if 0 in grid:
            continue
        pixel_kl_upsampled_backward_kernel[grid](
            student, teacher, *maps,
            y.first, y.weight, x.first, x.weight, *_taps(teacher, height, width, align_corners),
            coefficient, gradient, channels, rows, columns, height, width, x.most, odd_y, odd_x,
            *student.stride(), *teacher.stride(), *gradient.stride(), 1 / temperature,
            **given, BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
        )  # fmt: skip
    return gradient.to(student.dtype)


def _taps(logits: Tensor, height: int, width: int, align_corners: bool) -> list[Tensor]:
    y = axis(logits.shape[2], height, align_corners, logits.device)
    x = axis(logits.shape[3], width, align_corners, logits.device)
    return [y.lower, y.weight, x.lower, x.weight]


@pixel_kl_upsampled_sums.register_fake
def _(student: Tensor, *_: object) -> Tensor:
    return student.new_empty(3, dtype=torch.float32)


@pixel_kl_upsampled_gradient.register_fake
def _(coefficient: Tensor, student: Tensor, *_: object) -> Tensor:  # noqa: ARG001
    return gradient_like(student)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    tensors, ctx.settings = inputs[:6], inputs[6:]
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    # Weights are constants: nothing flows through their sum, gradient[1].
    student = pixel_kl_upsampled_gradient(gradient[0], *ctx.saved_tensors, *ctx.settings)
    return (student, *[None] * 9)


pixel_kl_upsampled_sums.register_autograd(_backward, setup_context=_save)
