"""Kullback-Leibler divergence of attention rows, teacher ‖ student, in linear memory."""

import torch
from torch import Tensor

from kernels.choice import use_reference, use_triton
from kernels.precision import accumulable
from kernels.tiled.attention_kl import tiled_attention_kl
from kernels.valid import map_size, valid_pixels


def attention_kl(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    student_keys: Tensor | None = None,
    teacher_keys: Tensor | None = None,
    label_keys: Tensor | None = None,
    temperature: float = 1.0,
    across_images: bool = False,
) -> Tensor:
    """1/P Σ_i KL(softmax_j(q^T_i·k^T_j / τ) ‖ softmax_j(q^S_i·k^S_j / τ)) over the valid pixels i of the batch.

    The attention form of pixel-wise feature similarities (Shan, https://arxiv.org/abs/1910.14226; reconstructed from
    its abstract): there, queries and keys are the features at length 1. No P×P matrix exists: some rows at a time do.

    Args:
        student: queries, ``(N, D, H, W)``.
        teacher: queries, ``(N, D', H, W)``; no gradient reaches the teacher.
        label: of the queries, ``(N, H, W)``, 255 = ignore; None: every pixel is valid.
        student_keys: ``(N, D, H', W')``, as those of another frame; None: the queries.
        teacher_keys: ``(N, D', H', W')``.
        label_keys: of the keys, ``(N, H', W')``: an ignored key has no part in any row.
        temperature: τ.
        across_images: keys of the whole batch, not of the query's image alone.

    Returns:
        A scalar, in fp32 for inputs of half precision; 0 where there is no valid query or key.
    """
    flat = _flat(student, teacher, label, student_keys, teacher_keys, label_keys, across_images)
    if use_reference():
        return _with_matrices(*flat, temperature)
    q_s, k_s, q_t, k_t, valid, valid_keys = flat
    if use_triton(student):
        from kernels.triton.attention_kl import attention_kl_sum

        keys = (None, None) if student_keys is None else (k_s, k_t)
        found: tuple[Tensor, Tensor] = attention_kl_sum(q_s, q_t, *keys, valid, valid_keys, temperature)
        return found[0] / valid.sum().clamp(min=1)
    q_s, k_s, q_t, k_t = (accumulable(m) for m in (q_s, k_s, q_t, k_t))
    keys = (None, None) if student_keys is None else (k_s, k_t)
    wanted = torch.is_grad_enabled() and (q_s.requires_grad or k_s.requires_grad)
    # Scores of half precision would be off by more than student and teacher differ.
    with torch.autocast(student.device.type, enabled=False):
        result: Tensor = tiled_attention_kl(q_s, q_t, *keys, valid, valid_keys, temperature, wanted)[0]
    return result


def reference_attention_kl(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    student_keys: Tensor | None = None,
    teacher_keys: Tensor | None = None,
    label_keys: Tensor | None = None,
    temperature: float = 1.0,
    across_images: bool = False,
) -> Tensor:
    """`attention_kl` as its formula reads, with its P×P matrices."""
    flat = _flat(student, teacher, label, student_keys, teacher_keys, label_keys, across_images)
    return _with_matrices(*flat, temperature)


def _with_matrices(
    q_s: Tensor, k_s: Tensor, q_t: Tensor, k_t: Tensor, valid: Tensor, valid_keys: Tensor, temperature: float
) -> Tensor:
    log_q, log_p = (
        (accumulable(queries).mT @ accumulable(keys) / temperature)
        .masked_fill(~valid_keys[:, None], -1e30)
        .log_softmax(2)
        for queries, keys in ((q_s, k_s), (q_t, k_t))
    )
    divergence = (log_p.exp() * (log_p - log_q)).sum(2)
    return (divergence * valid).sum() / valid.sum().clamp(min=1)


def _flat(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None,
    student_keys: Tensor | None,
    teacher_keys: Tensor | None,
    label_keys: Tensor | None,
    across_images: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """(q^S, k^S, q^T, k^T) ``(N, D, P)`` and (valid queries, valid keys) ``(N, P)``; N is 1 across images."""
    if (student_keys is None) != (teacher_keys is None):
        raise ValueError("student_keys and teacher_keys go together, and only one of them is given: give both or none")
    if student_keys is None or teacher_keys is None:
        student_keys, teacher_keys, label_keys = student, teacher, label
    valid = valid_pixels(label, map_size(student), student.device).flatten(1)
    valid_keys = valid_pixels(label_keys, map_size(student_keys), student.device).flatten(1)
    maps = [m.flatten(2) for m in (student, student_keys, teacher.detach(), teacher_keys.detach())]
    if across_images:
        maps = [m.transpose(0, 1).flatten(1)[None] for m in maps]
        valid, valid_keys = valid.reshape(1, -1), valid_keys.reshape(1, -1)
    valid = valid & valid_keys.any(1, keepdim=True)
    return maps[0], maps[1], maps[2], maps[3], valid, valid_keys
