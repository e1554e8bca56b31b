"""`kernels.pixel_kl` on the GPU: both logits are read once a direction, the gradient is written once."""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.triton.layout import flat_pixels, gradient_like, tile
from kernels.triton.operator import operator
from kernels.triton.pixel_maps import pixel_maps, scale_at, weight_at
from kernels.triton.softmax import log_softmax


@triton.jit
def _log_softmax(map_ptr, pixel, channel, channels, in_image, scale, stride_c, stride_p):
    """Log-probabilities ``[C, P]`` of the scaled logits of a tile."""
    inside = (channel < channels)[:, None]
    offset = channel[:, None] * stride_c + pixel[None, :] * stride_p
    z = tl.load(map_ptr + offset, mask=inside & in_image[None, :], other=0.0).to(tl.float32)
    return log_softmax(z * scale[None, :], inside)


@triton.jit
def pixel_kl_forward_kernel(
    student_ptr,  # (N, C, P), strides student_n, student_c, student_p
    teacher_ptr,  # (N, C, P), strides teacher_n, teacher_c, teacher_p
    label_ptr,  # (N, P)
    student_scale_ptr,  # (N, P)
    teacher_scale_ptr,  # (N, P)
    weight_ptr,  # (N, P)
    sum_ptr,  # (N, tiles, 3): Σ w KL, Σ w, number of valid pixels
    channels,
    pixels,
    student_n,
    student_c,
    student_p,
    teacher_n,
    teacher_c,
    teacher_p,
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
    channel = tl.arange(0, BLOCK_C).to(tl.int64)
    in_image, at = pixel < pixels, image * pixels + pixel
    scale = scale_at(teacher_scale_ptr, at, in_image, factor, TEACHER_SCALED)
    teacher_ptr += image * teacher_n
    log_p = _log_softmax(teacher_ptr, pixel, channel, channels, in_image, scale, teacher_c, teacher_p)
    scale = scale_at(student_scale_ptr, at, in_image, factor, STUDENT_SCALED)
    student_ptr += image * student_n
    log_q = _log_softmax(student_ptr, pixel, channel, channels, in_image, scale, student_c, student_p)
    divergence = tl.sum(tl.exp(log_p) * (log_p - log_q), 0)
    weight, valid = weight_at(label_ptr, weight_ptr, at, in_image, LABELLED, WEIGHTED)
    out = sum_ptr + (image * tl.num_programs(0) + tl.program_id(0)) * 3
    tl.store(out, tl.sum(weight * divergence))
    tl.store(out + 1, tl.sum(weight))
    tl.store(out + 2, tl.sum(valid))


@triton.jit
def pixel_kl_backward_kernel(
    student_ptr,  # (N, C, P), strides student_n, student_c, student_p
    teacher_ptr,  # (N, C, P), strides teacher_n, teacher_c, teacher_p
    label_ptr,  # (N, P)
    student_scale_ptr,  # (N, P)
    teacher_scale_ptr,  # (N, P)
    weight_ptr,  # (N, P)
    coefficient_ptr,  # (): incoming gradient · τ² / norm
    gradient_ptr,  # (N, C, P), strides gradient_n, gradient_c, gradient_p
    channels,
    pixels,
    student_n,
    student_c,
    student_p,
    teacher_n,
    teacher_c,
    teacher_p,
    gradient_n,
    gradient_c,
    gradient_p,
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
    channel = tl.arange(0, BLOCK_C).to(tl.int64)
    in_image, at = pixel < pixels, image * pixels + pixel
    scale = scale_at(teacher_scale_ptr, at, in_image, factor, TEACHER_SCALED)
    teacher_ptr += image * teacher_n
    log_p = _log_softmax(teacher_ptr, pixel, channel, channels, in_image, scale, teacher_c, teacher_p)
    scale = scale_at(student_scale_ptr, at, in_image, factor, STUDENT_SCALED)
    student_ptr += image * student_n
    log_q = _log_softmax(student_ptr, pixel, channel, channels, in_image, scale, student_c, student_p)
    weight, _ = weight_at(label_ptr, weight_ptr, at, in_image, LABELLED, WEIGHTED)
    gradient = (tl.exp(log_q) - tl.exp(log_p)) * (weight * scale * tl.load(coefficient_ptr))[None, :]
    out = gradient_ptr + image * gradient_n + channel[:, None] * gradient_c + pixel[None, :] * gradient_p
    tl.store(out, gradient, mask=(channel < channels)[:, None] & in_image[None, :])


@operator("pixel_kl")
def pixel_kl_sums(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None,
    student_scale: Tensor | None,
    teacher_scale: Tensor | None,
    weight: Tensor | None,
    temperature: float,
) -> Tensor:
    """(Σ w KL, Σ w, number of valid pixels) ``(3,)``; `kernels.pixel_kl` tells the arguments."""
    z_s, z_t = flat_pixels(student), flat_pixels(teacher)
    batch, channels, pixels = z_s.shape
    block = tile(channels)
    tiles = triton.cdiv(pixels, block.pixels)
    sums = torch.empty(batch, tiles, 3, dtype=torch.float32, device=student.device)
    maps, given = pixel_maps(z_s, label, student_scale, teacher_scale, weight)
    pixel_kl_forward_kernel[(tiles, batch)](
        z_s, z_t, *maps, sums, channels, pixels, *z_s.stride(), *z_t.stride(), 1 / temperature,
        **given, BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
    )  # fmt: skip
    return sums.sum((0, 1))


@operator("pixel_kl_gradient")
def pixel_kl_gradient(
    coefficient: Tensor,
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None,
    student_scale: Tensor | None,
    teacher_scale: Tensor | None,
    weight: Tensor | None,
    temperature: float,
) -> Tensor:
    """The gradient of ``coefficient`` ``()`` · Σ w KL, of the student's shape and dtype."""
    z_s, z_t, gradient = flat_pixels(student), flat_pixels(teacher), gradient_like(student)
    batch, channels, pixels = z_s.shape
    # Both maps and the gradient are held at once.
    block, out = tile(channels, elements=2048), gradient.flatten(2)
    maps, given = pixel_maps(z_s, label, student_scale, teacher_scale, weight)
    pixel_kl_backward_kernel[(triton.cdiv(pixels, block.pixels), batch)](
        z_s, z_t, *maps, coefficient, out, channels, pixels,
        *z_s.stride(), *z_t.stride(), *out.stride(), 1 / temperature,
        **given, BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
    )  # fmt: skip
    return gradient


@pixel_kl_sums.register_fake
def _(student: Tensor, *_: object) -> Tensor:
    return student.new_empty(3, dtype=torch.float32)


@pixel_kl_gradient.register_fake
def _(coefficient: Tensor, student: Tensor, *_: object) -> Tensor:  # noqa: ARG001
    return gradient_like(student)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG001
    *tensors, ctx.temperature = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    # Weights are constants: nothing flows through their sum, gradient[1].
    student = pixel_kl_gradient(gradient[0], *ctx.saved_tensors, ctx.temperature)
    return student, None, None, None, None, None, None


pixel_kl_sums.register_autograd(_backward, setup_context=_save)
