"""Kullback-Leibler divergence over space, channel by channel: teacher ‖ student."""

import torch
from torch import Tensor

from kernels.choice import use_tiles, use_triton
from kernels.precision import accumulable
from kernels.tiled.channel_kl import TiledChannelKl
from kernels.valid import map_size, valid_pixels

# Of ignored pixels, before the softmax. Finite, because 0 · (-inf - -inf) would be NaN.
_EXCLUDED = -1e30


def channel_kl(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    temperature: float = 4.0,
    student_scale: Tensor | None = None,
    teacher_scale: Tensor | None = None,
    teacher_channel_scale: Tensor | None = None,
) -> Tensor:
    """τ²/C Σ_c KL(softmax_i(b_c s^T_i z^T_ci / τ) ‖ softmax_i(s^S_i z^S_ci / τ)), i over an image's valid pixels.

    With the defaults, channel-wise distillation (Shu et al., https://arxiv.org/abs/2011.13256). The mean over those
    images of the batch that have a valid pixel; 0 where none has.

    Args:
        student: logits or features ``(N, C, H, W)``.
        teacher: the same shape; no gradient reaches it.
        label: ``(N, H, W)``, 255 = ignore; None: every pixel is valid.
        temperature: τ.
        student_scale: s^S, ``(N, H, W)``, a constant; None: 1.
        teacher_scale: s^T, ``(N, H, W)``; None: 1.
        teacher_channel_scale: b, ``(N, C)``; None: 1.

    Returns:
        A scalar, in fp32 for inputs of half precision.
    """
    scales = (student_scale, teacher_scale, teacher_channel_scale)
    valid = valid_pixels(label, map_size(student), student.device)
    factor, images = temperature**2 / student.shape[1], _labelled_images(valid)
    if use_triton(student):
        from kernels.triton.channel_kl import channel_kl_rows

        rows: Tensor = channel_kl_rows(student, teacher.detach(), label, *scales, temperature)
        return factor * rows[2].sum() / images
    if use_tiles(student):
        excluded = None if label is None else ~valid.flatten(1)
        dtype = accumulable(student).dtype
        flat = (None if scale is None else scale.detach().to(dtype).flatten(1) for scale in scales)
        maps = student.flatten(2), teacher.detach().flatten(2), excluded
        total: Tensor = TiledChannelKl.apply(*maps, *flat, temperature)
        return factor * total / images
    return reference_channel_kl(
        student,
        teacher,
        label,
        temperature=temperature,
        student_scale=student_scale,
        teacher_scale=teacher_scale,
        teacher_channel_scale=teacher_channel_scale,
    )


def reference_channel_kl(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    temperature: float = 4.0,
    student_scale: Tensor | None = None,
    teacher_scale: Tensor | None = None,
    teacher_channel_scale: Tensor | None = None,
) -> Tensor:
    """`channel_kl` in plain PyTorch."""
    student, teacher = accumulable(student), accumulable(teacher.detach())
    valid = valid_pixels(label, map_size(student), student.device)
    if teacher_channel_scale is not None:
        teacher = teacher * teacher_channel_scale.detach().to(teacher)[:, :, None, None]
    excluded = None if label is None else ~valid
    log_student = _log_softmax(student, student_scale, temperature, excluded)
    log_teacher = _log_softmax(teacher, teacher_scale, temperature, excluded)
    divergence = (log_teacher.exp() * (log_teacher - log_student)).sum()
    return temperature**2 / student.shape[1] * divergence / _labelled_images(valid)


def _labelled_images(valid: Tensor) -> Tensor:
    """The number of images with a valid pixel, at least 1."""
    return valid.flatten(1).any(1).sum().clamp(min=1)


def _log_softmax(values: Tensor, scale: Tensor | None, temperature: float, excluded: Tensor | None) -> Tensor:
    if scale is not None:
        values = values * (scale.detach().to(values) / temperature)[:, None]
    else:
        values = values / temperature
    if excluded is not None:
        values = values.masked_fill(excluded[:, None], _EXCLUDED)
    return torch.log_softmax(values.flatten(2), 2)
