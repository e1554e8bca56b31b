"""The passes of `kernels.condensation` over all channels, on the GPU; what is left is of shape (N, P) or (N, C).

A soft or thresholded matrix needs only its own pixel, so one pass gives matrix and magnitudes. A matrix that keeps a
share of the pixels needs all entropies first, and features are another map: then the magnitudes are a second pass.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.triton.layout import flat_pixels, per_pixel_label, tile
from kernels.triton.operator import operator
from kernels.triton.softmax import log_softmax


@triton.jit
def condensation_entropy_kernel(
    teacher_ptr,  # (N, C, P), strides teacher_n, teacher_c, teacher_p
    label_ptr,  # (N, P)
    matrix_ptr,  # (N, P): h, or M where MATRIX
    magnitude_ptr,  # (N, P): mean_c |M z|, where MATRIX
    channel_ptr,  # (N, tiles, C): Σ_i |M z| of a tile, where MATRIX
    channels,
    pixels,
    teacher_n,
    teacher_c,
    teacher_p,
    factor,  # 1 / τ_e
    scale,  # 1 / log C
    threshold,
    LABELLED: tl.constexpr,
    MATRIX: tl.constexpr,  # "" | "soft" | "threshold"
    UNCERTAIN: tl.constexpr,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    image = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    channel = tl.arange(0, BLOCK_C).to(tl.int64)
    in_image, inside, at = pixel < pixels, (channel < channels)[:, None], image * pixels + pixel
    offset = image * teacher_n + channel[:, None] * teacher_c + pixel[None, :] * teacher_p
    z = tl.load(teacher_ptr + offset, mask=inside & in_image[None, :], other=0.0).to(tl.float32)
    log_p = log_softmax(z * factor, inside)
    entropy = tl.minimum(tl.maximum(-scale * tl.sum(tl.exp(log_p) * log_p, 0), 0.0), 1.0)
    if MATRIX == "":
        tl.store(matrix_ptr + at, entropy, mask=in_image)
    else:
        if MATRIX == "soft":
            matrix = 1.0 - entropy
        else:
            matrix = (entropy <= threshold).to(tl.float32)
        if UNCERTAIN:
            matrix = 1.0 - matrix
        if LABELLED:
            matrix = tl.where(tl.load(label_ptr + at, mask=in_image, other=255) != 255, matrix, 0.0)
        magnitude = tl.abs(z) * tl.where(in_image, matrix, 0.0)[None, :]
        tl.store(matrix_ptr + at, matrix, mask=in_image)
        tl.store(magnitude_ptr + at, tl.sum(magnitude, 0) / channels, mask=in_image)
        out = channel_ptr + (image * tl.num_programs(0) + tl.program_id(0)) * channels + channel
        tl.store(out, tl.sum(magnitude, 1), mask=channel < channels)


@triton.jit
def condensation_magnitude_kernel(
    map_ptr,  # (N, D, P), strides map_n, map_c, map_p
    matrix_ptr,  # (N, P): M
    magnitude_ptr,  # (N, P): mean_c |M z|
    channel_ptr,  # (N, tiles, D): Σ_i |M z| of a tile
    channels,
    pixels,
    map_n,
    map_c,
    map_p,
    BLOCK_C: tl.constexpr,
    BLOCK_P: tl.constexpr,
):
    image = tl.program_id(1).to(tl.int64)
    pixel = tl.program_id(0).to(tl.int64) * BLOCK_P + tl.arange(0, BLOCK_P)
    in_image, at = pixel < pixels, image * pixels + pixel
    matrix = tl.load(matrix_ptr + at, mask=in_image, other=0.0)
    total = tl.zeros([BLOCK_P], tl.float32)
    out = channel_ptr + (image * tl.num_programs(0) + tl.program_id(0)) * channels
    # Features have any number of channels: a slab of them at a time.
    for start in range(0, channels, BLOCK_C):
        channel = start + tl.arange(0, BLOCK_C).to(tl.int64)
        offset = image * map_n + channel[:, None] * map_c + pixel[None, :] * map_p
        mask = (channel < channels)[:, None] & in_image[None, :]
        magnitude = tl.abs(tl.load(map_ptr + offset, mask=mask, other=0.0).to(tl.float32)) * matrix[None, :]
        total += tl.sum(magnitude, 0)
        tl.store(out + channel, tl.sum(magnitude, 1), mask=channel < channels)
    tl.store(magnitude_ptr + at, total / channels, mask=in_image)


@operator("condensation_entropy")
def condensation_entropy(
    teacher: Tensor,
    label: Tensor | None,
    temperature: float,
    scale: float,
    matrix: str,
    threshold: float,
    uncertain: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """(M ``(N, H, W)``, mean_c |M z| ``(N, H, W)``, Σ_i |M z| ``(N, C)``), or (h, -, -) where ``matrix`` is empty."""
    z = flat_pixels(teacher)
    batch, channels, pixels = z.shape
    block = tile(channels)
    tiles = triton.cdiv(pixels, block.pixels)
    found, magnitude = (torch.empty(batch, *teacher.shape[2:], device=z.device, dtype=torch.float32) for _ in range(2))
    channel = torch.empty(batch, tiles, channels, device=z.device, dtype=torch.float32)
    condensation_entropy_kernel[(tiles, batch)](
        z, per_pixel_label(label, z), found, magnitude, channel, channels, pixels, *z.stride(),
        1 / temperature, scale, threshold, LABELLED=label is not None, MATRIX=matrix, UNCERTAIN=uncertain,
        BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
    )  # fmt: skip
    return found, magnitude, channel.sum(1)


@operator("condensation_magnitude")
def condensation_magnitude(features: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """(mean_c |M z| ``(N, H, W)``, Σ_i |M z| ``(N, D)``)."""
    z = flat_pixels(features)
    batch, channels, pixels = z.shape
    block = tile(min(channels, 64))
    tiles = triton.cdiv(pixels, block.pixels)
    magnitude = torch.empty(batch, *features.shape[2:], device=z.device, dtype=torch.float32)
    channel = torch.empty(batch, tiles, channels, device=z.device, dtype=torch.float32)
    condensation_magnitude_kernel[(tiles, batch)](
        z, matrix.contiguous(), magnitude, channel, channels, pixels, *z.stride(),
        BLOCK_C=block.channels, BLOCK_P=block.pixels, num_warps=block.warps,
    )  # fmt: skip
    return magnitude, channel.sum(1)


@condensation_entropy.register_fake
def _(teacher: Tensor, *_: object) -> tuple[Tensor, Tensor, Tensor]:
    size = (teacher.shape[0], *teacher.shape[2:])
    maps = [teacher.new_empty(size, dtype=torch.float32) for _ in range(2)]
    return maps[0], maps[1], teacher.new_empty(teacher.shape[:2], dtype=torch.float32)


@condensation_magnitude.register_fake
def _(features: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    channel = features.new_empty(features.shape[:2], dtype=torch.float32)
    return matrix.new_empty(matrix.shape, dtype=torch.float32), channel
