"""Kullback-Leibler divergence over classes, pixel by pixel: teacher ‖ student."""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.choice import use_tiles, use_triton
from kernels.precision import accumulable
from kernels.tiled.bilinear import upsample
from kernels.tiled.by_image import SumByImage
from kernels.tiled.pixel_kl import TiledPixelKl
from kernels.valid import check_label, map_size, valid_pixels

MeanOver = Literal["valid", "weight"]


def pixel_kl(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    temperature: float = 1.0,
    student_scale: Tensor | None = None,
    teacher_scale: Tensor | None = None,
    weight: Tensor | None = None,
    mean_over: MeanOver = "valid",
    size: tuple[int, int] | None = None,
    align_corners: bool = False,
) -> Tensor:
    """τ² Σ_i w_i KL(softmax_c(s^T_i z^T_i / τ) ‖ softmax_c(s^S_i z^S_i / τ)) / norm, over the valid pixels i.

    With the defaults, knowledge distillation (Hinton et al., https://arxiv.org/abs/1503.02531), a pixel at a time.

    Args:
        student: logits ``(N, C, H, W)``.
        teacher: logits ``(N, C, H, W)``; no gradient reaches them.
        label: ``(N, H, W)``, 255 = ignore; None: every pixel is valid.
        temperature: τ.
        student_scale: s^S, ``(N, H, W)``, a constant; None: 1.
        teacher_scale: s^T, ``(N, H, W)``; None: 1.
        weight: w, ``(N, H, W)``, a constant, not negative; None: 1.
        mean_over: norm is the number of valid pixels, or the sum of ``weight`` over them. A norm of 0 gives 0.
        size: ``(H', W')`` of the loss: both logits are upsampled to it bilinearly, each from its own resolution,
            and label, scales and weight are ``(N, H', W')``. None: no upsampling.
        align_corners: as in `torch.nn.functional.interpolate`, for ``size``.

    Returns:
        A scalar, in fp32 for inputs of half precision.
    """
    check_label(label, map_size(student) if size is None else (student.shape[0], *size))
    maps = (label, student_scale, teacher_scale, weight)
    if use_triton(student):
        return _on_gpu(student, teacher, maps, temperature, mean_over, size, align_corners)
    if use_tiles(student):
        return _in_tiles(student, teacher, maps, temperature, mean_over, size, align_corners)
    return reference_pixel_kl(
        student,
        teacher,
        label,
        temperature=temperature,
        student_scale=student_scale,
        teacher_scale=teacher_scale,
        weight=weight,
        mean_over=mean_over,
        size=size,
        align_corners=align_corners,
    )


def _on_gpu(
    student: Tensor,
    teacher: Tensor,
    maps: tuple[Tensor | None, ...],
    temperature: float,
    mean_over: MeanOver,
    size: tuple[int, int] | None,
    align_corners: bool,
) -> Tensor:
    sums: Tensor
    if size is None:
        from kernels.triton.pixel_kl import pixel_kl_sums

        sums = pixel_kl_sums(student, teacher.detach(), *maps, temperature)
    else:
        from kernels.triton.pixel_kl_upsampled import pixel_kl_upsampled_sums

        sums = pixel_kl_upsampled_sums(student, teacher.detach(), *maps, temperature, *size, align_corners)
    norm = sums[1 if mean_over == "weight" else 2].detach()
    return temperature**2 * sums[0] / torch.where(norm > 0, norm, 1)


def _in_tiles(
    student: Tensor,
    teacher: Tensor,
    maps: tuple[Tensor | None, ...],
    temperature: float,
    mean_over: MeanOver,
    size: tuple[int, int] | None,
    align_corners: bool,
) -> Tensor:
    label, student_scale, teacher_scale, weight = maps
    dtype = accumulable(student).dtype
    area = map_size(student) if size is None else (student.shape[0], *size)
    valid = valid_pixels(label, area, student.device)
    weights = valid.to(dtype) if weight is None else weight.detach().to(dtype) * valid
    norm = weights.sum() if mean_over == "weight" else valid.sum().to(dtype)
    weights = (weights * (temperature**2 / torch.where(norm > 0, norm, 1))).flatten(1)
    scales = [None if m is None else m.detach().to(dtype).flatten(1) for m in (student_scale, teacher_scale)]

    def total(student: Tensor, teacher: Tensor, images: slice) -> Tensor:
        flat = [None if scale is None else scale[images] for scale in scales]
        found: Tensor = TiledPixelKl.apply(student.flatten(2), teacher.flatten(2), weights[images], *flat, temperature)
        return found

    if size is None:
        return total(student, teacher.detach(), slice(None))

    def of_image(student: Tensor, index: int) -> Tensor:
        images = slice(index, index + 1)
        upsampled = [upsample(accumulable(z), size, align_corners) for z in (student, teacher.detach()[images])]
        return total(upsampled[0], upsampled[1], images)

    result: Tensor = SumByImage.apply(student, of_image)
    return result


def reference_pixel_kl(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    temperature: float = 1.0,
    student_scale: Tensor | None = None,
    teacher_scale: Tensor | None = None,
    weight: Tensor | None = None,
    mean_over: MeanOver = "valid",
    size: tuple[int, int] | None = None,
    align_corners: bool = False,
) -> Tensor:
    """`pixel_kl` in plain PyTorch."""
    student, teacher = accumulable(student), accumulable(teacher.detach())
    if size is not None:
        student = F.interpolate(student, size, mode="bilinear", align_corners=align_corners)
        teacher = F.interpolate(teacher, size, mode="bilinear", align_corners=align_corners)
    log_student = _log_softmax(student, student_scale, temperature)
    log_teacher = _log_softmax(teacher, teacher_scale, temperature)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum(1)
    valid = valid_pixels(label, map_size(student), student.device)
    weight = valid.to(divergence) if weight is None else weight.detach().to(divergence) * valid
    norm = weight.sum() if mean_over == "weight" else valid.sum().to(divergence)
    return temperature**2 * (weight * divergence).sum() / torch.where(norm > 0, norm, 1)


def _log_softmax(logits: Tensor, scale: Tensor | None, temperature: float) -> Tensor:
    if scale is not None:
        logits = logits * (scale.detach().to(logits) / temperature)[:, None]
    elif temperature != 1:
        logits = logits / temperature
    return logits.log_softmax(1)
