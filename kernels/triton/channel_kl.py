"""`kernels.channel_kl` on the GPU: one pass over both maps forward, one backward.

A row is one channel of one image. Forward, programs scan pieces of some rows with running maxima, and a small kernel
puts the pieces together: with p ∝ e^t, q ∝ e^s, KL(p ‖ q) = Σ p (t - s) + log Σ e^s - log Σ e^t. A tile is as wide as
the memory is: one channel of many pixels in NCHW, many channels of fewer pixels in channels_last.
"""

from typing import Any, NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.triton.layout import flat_pixels, gradient_like
from kernels.triton.operator import operator
from kernels.triton.pixel_maps import pixel_maps, scale_at, weight_at


class Tile(NamedTuple):
    """What a program holds at once, and how often it goes on."""

    channels: int
    pixels: int
    blocks: int
    """Of one piece."""


IN_ROWS = Tile(channels=1, pixels=1024, blocks=8)
CHANNELS_LAST = Tile(channels=32, pixels=64, blocks=32)


def tile_of(flat: Tensor) -> Tile:
    """That of a map ``(N, C, P)``."""
    return CHANNELS_LAST if flat.stride(1) == 1 and flat.shape[1] > 1 and flat.shape[2] > 1 else IN_ROWS


@triton.jit
def _read(
    student_ptr, teacher_ptr, label_ptr, student_scale_ptr, teacher_scale_ptr, channel_scale_ptr, image, channels,
    pixels, channel, pixel, student_n, student_c, student_p, teacher_n, teacher_c, teacher_p, factor,
    LABELLED: tl.constexpr, STUDENT_SCALED: tl.constexpr, TEACHER_SCALED: tl.constexpr, CHANNEL_SCALED: tl.constexpr,
):  # fmt: skip
    """(s, t, the student's scale, valid) of ``channel`` [C] and ``pixel`` [P]: ``[C, P]``, but for the scale."""
    in_image, at = pixel < pixels, image * pixels + pixel
    _, valid = weight_at(label_ptr, label_ptr, at, in_image, LABELLED, False)
    scale = scale_at(student_scale_ptr, at, in_image, factor, STUDENT_SCALED)
    teacher_scale = scale_at(teacher_scale_ptr, at, in_image, factor, TEACHER_SCALED)[None, :]
    inside = (channel < channels)[:, None]
    if CHANNEL_SCALED:
        teacher_scale *= tl.load(channel_scale_ptr + image * channels + channel[:, None], mask=inside, other=0.0)
    mask, row, column = inside & in_image[None, :], channel[:, None], pixel[None, :]
    s = tl.load(student_ptr + image * student_n + row * student_c + column * student_p, mask=mask, other=0.0)
    t = tl.load(teacher_ptr + image * teacher_n + row * teacher_c + column * teacher_p, mask=mask, other=0.0)
    valid = inside & (valid > 0)[None, :]
    return s.to(tl.float32) * scale[None, :], t.to(tl.float32) * teacher_scale, scale[None, :], valid


@triton.jit
def channel_kl_forward_kernel(
    student_ptr,  # (N, C, P), strides student_n, student_c, student_p
    teacher_ptr,  # (N, C, P), strides teacher_n, teacher_c, teacher_p
    label_ptr,  # (N, P)
    student_scale_ptr,  # (N, P)
    teacher_scale_ptr,  # (N, P)
    channel_scale_ptr,  # (N, C)
    piece_ptr,  # (5, N·C, pieces): max s, Σ e^(s - max), max t, Σ e^(t - max), Σ e^(t - max) (t - s)
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
    CHANNEL_SCALED: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
    BLOCKS_A_PIECE: tl.constexpr,
):
    image, pieces = tl.program_id(2).to(tl.int64), tl.num_programs(0)
    channel = tl.program_id(1).to(tl.int64) * BLOCK_C + tl.arange(0, BLOCK_C)
    # Finite, so that a block without a valid pixel is not -inf - -inf.
    max_s = tl.full([BLOCK_C], -1e30, tl.float32)
    max_t = max_s
    sum_s = tl.zeros([BLOCK_C], tl.float32)
    sum_t, dot = sum_s, sum_s
    for block in range(BLOCKS_A_PIECE):
        pixel = (tl.program_id(0).to(tl.int64) * BLOCKS_A_PIECE + block) * BLOCK_P + tl.arange(0, BLOCK_P)
        s, t, _, valid = _read(
            student_ptr, teacher_ptr, label_ptr, student_scale_ptr, teacher_scale_ptr, channel_scale_ptr,
            image, channels, pixels, channel, pixel,
            student_n, student_c, student_p, teacher_n, teacher_c, teacher_p, factor,
            LABELLED, STUDENT_SCALED, TEACHER_SCALED, CHANNEL_SCALED,
        )  # fmt: skip
        new_s = tl.maximum(max_s, tl.max(tl.where(valid, s, -1e30), 1))
        new_t = tl.maximum(max_t, tl.max(tl.where(valid, t, -1e30), 1))
        e_t = tl.exp(tl.where(valid, t - new_t[:, None], float("-inf")))
        e_s = tl.exp(tl.where(valid, s - new_s[:, None], float("-inf")))
        sum_s = sum_s * tl.exp(max_s - new_s) + tl.sum(e_s, 1)
        sum_t = sum_t * tl.exp(max_t - new_t) + tl.sum(e_t, 1)
        dot = dot * tl.exp(max_t - new_t) + tl.sum(e_t * (t - s), 1)
        max_s, max_t = new_s, new_t
    inside = channel < channels
    out = piece_ptr + (image * channels + channel) * pieces + tl.program_id(0)
    stride = tl.num_programs(2).to(tl.int64) * channels * pieces
    tl.store(out, max_s, mask=inside)
    tl.store(out + stride, sum_s, mask=inside)
    tl.store(out + 2 * stride, max_t, mask=inside)
    tl.store(out + 3 * stride, sum_t, mask=inside)
    tl.store(out + 4 * stride, dot, mask=inside)


@triton.jit
def channel_kl_join_kernel(
    piece_ptr,  # (5, N·C, pieces), see above
    row_ptr,  # (3, N·C): log Σ e^s, log Σ e^t, KL
    pieces,
    BLOCK: tl.constexpr,
):
    row, rows = tl.program_id(0).to(tl.int64), tl.num_programs(0).to(tl.int64)
    piece = tl.arange(0, BLOCK)
    mask, at, stride = piece < pieces, piece_ptr + row * pieces + piece, rows * pieces
    max_s, max_t = tl.load(at, mask=mask, other=-1e30), tl.load(at + 2 * stride, mask=mask, other=-1e30)
    top_s, top_t = tl.max(max_s, 0), tl.max(max_t, 0)
    sum_s = tl.sum(tl.load(at + stride, mask=mask, other=0.0) * tl.exp(max_s - top_s), 0)
    sum_t = tl.sum(tl.load(at + 3 * stride, mask=mask, other=0.0) * tl.exp(max_t - top_t), 0)
    dot = tl.sum(tl.load(at + 4 * stride, mask=mask, other=0.0) * tl.exp(max_t - top_t), 0)
    # A row without a valid pixel has sums of 0, and KL 0.
    empty = sum_t == 0
    lse_s = top_s + tl.log(tl.where(empty, 1.0, sum_s))
    lse_t = top_t + tl.log(tl.where(empty, 1.0, sum_t))
    tl.store(row_ptr + row, lse_s)
    tl.store(row_ptr + rows + row, lse_t)
    tl.store(row_ptr + 2 * rows + row, tl.where(empty, 0.0, dot / tl.where(empty, 1.0, sum_t) + lse_s - lse_t))


@triton.jit
def channel_kl_backward_kernel(
    student_ptr,  # (N, C, P), strides student_n, student_c, student_p
    teacher_ptr,  # (N, C, P), strides teacher_n, teacher_c, teacher_p
    label_ptr,  # (N, P)
    student_scale_ptr,  # (N, P)
    teacher_scale_ptr,  # (N, P)
    channel_scale_ptr,  # (N, C)
    row_ptr,  # (3, N·C): log Σ e^s, log Σ e^t, KL
    coefficient_ptr,  # (N·C,): incoming gradient of each row's KL
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
    CHANNEL_SCALED: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    image = tl.program_id(2).to(tl.int64)
    channel = tl.program_id(1).to(tl.int64) * BLOCK_C + tl.arange(0, BLOCK_C)
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    s, t, scale, valid = _read(
        student_ptr, teacher_ptr, label_ptr, student_scale_ptr, teacher_scale_ptr, channel_scale_ptr,
        image, channels, pixels, channel, pixel,
        student_n, student_c, student_p, teacher_n, teacher_c, teacher_p, factor,
        LABELLED, STUDENT_SCALED, TEACHER_SCALED, CHANNEL_SCALED,
    )  # fmt: skip
    inside, row, rows = channel < channels, image * channels + channel, tl.num_programs(2).to(tl.int64) * channels
    lse_s = tl.load(row_ptr + row, mask=inside, other=0.0)[:, None]
    lse_t = tl.load(row_ptr + rows + row, mask=inside, other=0.0)[:, None]
    q = tl.exp(tl.where(valid, s - lse_s, float("-inf")))
    p = tl.exp(tl.where(valid, t - lse_t, float("-inf")))
    gradient = (q - p) * scale * tl.load(coefficient_ptr + row, mask=inside, other=0.0)[:, None]
    out = gradient_ptr + image * gradient_n + channel[:, None] * gradient_c + pixel[None, :] * gradient_p
    tl.store(out, gradient, mask=inside[:, None] & (pixel < pixels)[None, :])


@operator("channel_kl")
def channel_kl_rows(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None,
    student_scale: Tensor | None,
    teacher_scale: Tensor | None,
    channel_scale: Tensor | None,
    temperature: float,
) -> Tensor:
    """(log Σ e^s, log Σ e^t, KL) of each channel of each image ``(3, N·C)``; see `kernels.channel_kl`."""
    z_s, z_t = flat_pixels(student), flat_pixels(teacher)
    batch, channels, pixels = z_s.shape
    tile = tile_of(z_s)
    pieces = triton.cdiv(pixels, tile.pixels * tile.blocks)
    piece = torch.empty(5, batch * channels, pieces, dtype=torch.float32, device=student.device)
    rows = torch.empty(3, batch * channels, dtype=torch.float32, device=student.device)
    maps, given = _maps(z_s, label, student_scale, teacher_scale, channel_scale)
    channel_kl_forward_kernel[(pieces, triton.cdiv(channels, tile.channels), batch)](
        z_s, z_t, *maps, piece, channels, pixels, *z_s.stride(), *z_t.stride(), 1 / temperature,
        **given, BLOCK_C=tile.channels, BLOCK_P=tile.pixels, BLOCKS_A_PIECE=tile.blocks,
    )  # fmt: skip
    channel_kl_join_kernel[(batch * channels,)](piece, rows, pieces, BLOCK=max(2, triton.next_power_of_2(pieces)))
    return rows


@operator("channel_kl_gradient")
def channel_kl_gradient(
    coefficient: Tensor,
    rows: Tensor,
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None,
    student_scale: Tensor | None,
    teacher_scale: Tensor | None,
    channel_scale: Tensor | None,
    temperature: float,
) -> Tensor:
    """The gradient of Σ ``coefficient`` ``(N·C,)`` · KL, of the student's shape and dtype."""
    z_s, z_t, gradient = flat_pixels(student), flat_pixels(teacher), gradient_like(student)
    batch, channels, pixels = z_s.shape
    out, tile = gradient.flatten(2), tile_of(z_s)
    maps, given = _maps(z_s, label, student_scale, teacher_scale, channel_scale)
    grid = (triton.cdiv(pixels, tile.pixels), triton.cdiv(channels, tile.channels), batch)
    channel_kl_backward_kernel[grid](
        z_s, z_t, *maps, rows, coefficient.contiguous(), out, channels, pixels,
        *z_s.stride(), *z_t.stride(), *out.stride(), 1 / temperature,
        **given, BLOCK_C=tile.channels, BLOCK_P=tile.pixels,
    )  # fmt: skip
    return gradient


def _maps(
    unread: Tensor,
    label: Tensor | None,
    student_scale: Tensor | None,
    teacher_scale: Tensor | None,
    channel_scale: Tensor | None,
) -> tuple[list[Tensor], dict[str, bool]]:
    maps, given = pixel_maps(unread, label, student_scale, teacher_scale, channel_scale)
    given["CHANNEL_SCALED"] = given.pop("WEIGHTED")
    return maps, given


@channel_kl_rows.register_fake
def _(student: Tensor, *_: object) -> Tensor:
    return student.new_empty(3, student.shape[0] * student.shape[1], dtype=torch.float32)


@channel_kl_gradient.register_fake
def _(coefficient: Tensor, rows: Tensor, student: Tensor, *_: object) -> Tensor:  # noqa: ARG001
    return gradient_like(student)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    *tensors, ctx.temperature = inputs
    ctx.save_for_backward(output, *tensors)


def _backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
    student = channel_kl_gradient(gradient[2], *ctx.saved_tensors, ctx.temperature)
    return student, None, None, None, None, None, None


channel_kl_rows.register_autograd(_backward, setup_context=_save)
