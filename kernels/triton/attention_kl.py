"""`kernels.attention_kl` on the GPU: the scores of a tile of queries and keys live in registers, and nowhere else.

With s, t the scores of student and teacher over τ, a row is KL(p ‖ q) = Σ_j p_j (t_j - s_j) + log Σ e^s - log Σ e^t.
Forward, a program owns some queries and scans all keys with running maxima. Backward, a program owns some pixels,
visits all others and computes the scores anew: their gradient is q_ij - p_ij. Where the queries are the keys too, both
parts of a pixel's gradient come from the same scores, s_ij = s_ji, in one visit.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels.triton.operator import operator
from kernels.triton.scores import STAGES, WARPS, scores, tiles_of

# log Σ e^s of a query that does not count: its probabilities are e^(s - 1e30) = 0.
_EXCLUDED: tl.constexpr = tl.constexpr(1e30)


@triton.jit
def attention_kl_forward_kernel(
    student_query_ptr,  # (N, D, Q), strides student_query_n, student_query_d, student_query_p; as the next three
    student_key_ptr,  # (N, D, K)
    teacher_query_ptr,  # (N, D', Q)
    teacher_key_ptr,  # (N, D', K)
    is_query_ptr,  # (N, Q)
    is_key_ptr,  # (N, K)
    kl_ptr,  # (N, Q)
    lse_ptr,  # (2, N, Q): log Σ e^s, log Σ e^t
    queries,
    keys,
    student_channels,
    teacher_channels,
    student_query_n,
    student_query_d,
    student_query_p,
    student_key_n,
    student_key_d,
    student_key_p,
    teacher_query_n,
    teacher_query_d,
    teacher_query_p,
    teacher_key_n,
    teacher_key_d,
    teacher_key_p,
    factor,  # 1 / τ
    PRECISION: tl.constexpr,
    BLOCK_Q: tl.constexpr,
    BLOCK_K: tl.constexpr,
    BLOCK_D: tl.constexpr,
):
    image = tl.program_id(1).to(tl.int64)
    student_query_ptr += image * student_query_n
    student_key_ptr += image * student_key_n
    teacher_query_ptr += image * teacher_query_n
    teacher_key_ptr += image * teacher_key_n
    query = tl.program_id(0).to(tl.int64) * BLOCK_Q + tl.arange(0, BLOCK_Q)
    # Finite, so that a tile without a valid key is not -inf - -inf.
    max_s = tl.full([BLOCK_Q], -1e30, tl.float32)
    max_t = max_s
    sum_s = tl.zeros([BLOCK_Q], tl.float32)
    sum_t, dot = sum_s, sum_s
    for start in range(0, keys, BLOCK_K):
        key = start + tl.arange(0, BLOCK_K).to(tl.int64)
        s = scores(
            student_query_ptr, student_key_ptr, query, key, queries, keys, student_channels,
            student_query_d, student_query_p, student_key_d, student_key_p, factor,
            PRECISION, BLOCK_Q, BLOCK_K, BLOCK_D,
        )  # fmt: skip
        t = scores(
            teacher_query_ptr, teacher_key_ptr, query, key, queries, keys, teacher_channels,
            teacher_query_d, teacher_query_p, teacher_key_d, teacher_key_p, factor,
            PRECISION, BLOCK_Q, BLOCK_K, BLOCK_D,
        )  # fmt: skip
        is_key = (tl.load(is_key_ptr + image * keys + key, mask=key < keys, other=0) != 0)[None, :]
        new_s = tl.maximum(max_s, tl.max(tl.where(is_key, s, -1e30), 1))
        new_t = tl.maximum(max_t, tl.max(tl.where(is_key, t, -1e30), 1))
        e_s = tl.exp(tl.where(is_key, s - new_s[:, None], -1e30))
        e_t = tl.exp(tl.where(is_key, t - new_t[:, None], -1e30))
        sum_s = sum_s * tl.exp(max_s - new_s) + tl.sum(e_s, 1)
        sum_t = sum_t * tl.exp(max_t - new_t) + tl.sum(e_t, 1)
        dot = dot * tl.exp(max_t - new_t) + tl.sum(e_t * (t - s), 1)
        max_s, max_t = new_s, new_t
    in_image, at = query < queries, image * queries + query
    counts = (tl.load(is_query_ptr + at, mask=in_image, other=0) != 0) & (sum_t > 0)
    sum_s, sum_t = tl.where(counts, sum_s, 1.0), tl.where(counts, sum_t, 1.0)
    lse_s, lse_t = max_s + tl.log(sum_s), max_t + tl.log(sum_t)
    tl.store(kl_ptr + at, tl.where(counts, dot / sum_t + lse_s - lse_t, 0.0), mask=in_image)
    tl.store(lse_ptr + at, tl.where(counts, lse_s, _EXCLUDED), mask=in_image)
    lse_ptr += tl.num_programs(1).to(tl.int64) * queries
    tl.store(lse_ptr + at, tl.where(counts, lse_t, _EXCLUDED), mask=in_image)


@triton.jit
def _difference(log_q, log_p, is_key):
    """q - p, 0 where there is no key: what would stand there may be more than e^88."""
    return tl.exp(tl.where(is_key, log_q, -1e30)) - tl.exp(tl.where(is_key, log_p, -1e30))


@triton.jit
def attention_kl_backward_kernel(
    own_student_ptr,  # (N, D, A), strides own_student_n, own_student_d, own_student_p; as the next three
    other_student_ptr,  # (N, D, B)
    own_teacher_ptr,  # (N, D', A)
    other_teacher_ptr,  # (N, D', B)
    own_lse_ptr,  # (2, N, A), where QUERIES
    other_lse_ptr,  # (2, N, B), where KEYS
    own_is_key_ptr,  # (N, A), where KEYS
    other_is_key_ptr,  # (N, B), where QUERIES
    coefficient_ptr,  # (): incoming gradient of Σ KL
    gradient_ptr,  # (N, D, A), strides gradient_n, gradient_d, gradient_p
    owns,
    others,
    student_channels,
    teacher_channels,
    own_student_n,
    own_student_d,
    own_student_p,
    other_student_n,
    other_student_d,
    other_student_p,
    own_teacher_n,
    own_teacher_d,
    own_teacher_p,
    other_teacher_n,
    other_teacher_d,
    other_teacher_p,
    gradient_n,
    gradient_d,
    gradient_p,
    factor,  # 1 / τ
    gain,  # of the probabilities' differences, so that fp16 does not lose the small ones
    QUERIES: tl.constexpr,  # the own pixels are queries, the others keys
    KEYS: tl.constexpr,  # the own pixels are keys, the others queries
    PRECISION: tl.constexpr,
    BLOCK_A: tl.constexpr,
    BLOCK_B: tl.constexpr,
    BLOCK_D: tl.constexpr,
    BLOCK_G: tl.constexpr,  # channels of the gradient
):
    image, images = tl.program_id(2).to(tl.int64), tl.num_programs(2).to(tl.int64)
    own_student_ptr += image * own_student_n
    other_student_ptr += image * other_student_n
    own_teacher_ptr += image * own_teacher_n
    other_teacher_ptr += image * other_teacher_n
    own = tl.program_id(0).to(tl.int64) * BLOCK_A + tl.arange(0, BLOCK_A)
    channel = tl.program_id(1).to(tl.int64) * BLOCK_G + tl.arange(0, BLOCK_G)
    is_own, inside, own_at = own < owns, channel < student_channels, image * owns + own
    if QUERIES:
        own_lse_s = tl.load(own_lse_ptr + own_at, mask=is_own, other=_EXCLUDED)[:, None]
        own_lse_t = tl.load(own_lse_ptr + images * owns + own_at, mask=is_own, other=_EXCLUDED)[:, None]
    if KEYS:
        own_is_key = (tl.load(own_is_key_ptr + own_at, mask=is_own, other=0) != 0)[:, None]
    gradient = tl.zeros([BLOCK_A, BLOCK_G], tl.float32)
    for start in range(0, others, BLOCK_B):
        other = start + tl.arange(0, BLOCK_B).to(tl.int64)
        is_other, at = other < others, image * others + other
        s = scores(
            own_student_ptr, other_student_ptr, own, other, owns, others, student_channels,
            own_student_d, own_student_p, other_student_d, other_student_p, factor,
            PRECISION, BLOCK_A, BLOCK_B, BLOCK_D,
        )  # fmt: skip
        t = scores(
            own_teacher_ptr, other_teacher_ptr, own, other, owns, others, teacher_channels,
            own_teacher_d, own_teacher_p, other_teacher_d, other_teacher_p, factor,
            PRECISION, BLOCK_A, BLOCK_B, BLOCK_D,
        )  # fmt: skip
        slope = tl.zeros([BLOCK_A, BLOCK_B], tl.float32)
        if QUERIES:
            is_key = (tl.load(other_is_key_ptr + at, mask=is_other, other=0) != 0)[None, :]
            slope += _difference(s - own_lse_s, t - own_lse_t, is_key)
        if KEYS:
            lse_s = tl.load(other_lse_ptr + at, mask=is_other, other=_EXCLUDED)[None, :]
            lse_t = tl.load(other_lse_ptr + images * others + at, mask=is_other, other=_EXCLUDED)[None, :]
            slope += _difference(s - lse_s, t - lse_t, own_is_key)
        x_ptr = other_student_ptr + other[:, None] * other_student_p + channel[None, :] * other_student_d
        x = tl.load(x_ptr, mask=is_other[:, None] & inside[None, :], other=0.0)
        gradient = tl.dot((slope * gain).to(x.dtype), x, gradient, input_precision=PRECISION)
    gradient *= tl.load(coefficient_ptr) * factor / gain
    out = gradient_ptr + image * gradient_n + own[:, None] * gradient_p + channel[None, :] * gradient_d
    tl.store(out, gradient, mask=is_own[:, None] & inside[None, :])


@operator("attention_kl")
def attention_kl_sum(
    student: Tensor,
    teacher: Tensor,
    student_keys: Tensor | None,
    teacher_keys: Tensor | None,
    is_query: Tensor,
    is_key: Tensor,
    temperature: float,
) -> tuple[Tensor, Tensor]:
    """(Σ KL ``()``, log Σ e^s and log Σ e^t of each query ``(2, N, Q)``).

    Args:
        student: queries ``(N, D, Q)``, any strides.
        teacher: queries ``(N, D', Q)``.
        student_keys: ``(N, D, K)``; None: the queries.
        teacher_keys: ``(N, D', K)``.
        is_query: ``(N, Q)``, the queries that count.
        is_key: ``(N, K)``, the keys that count.
        temperature: τ.
    """
    student, teacher, student_keys, teacher_keys = _maps(student, teacher, student_keys, teacher_keys)
    (batch, channels, queries), keys = student.shape, student_keys.shape[2]
    tiles = tiles_of(student.dtype)
    kl = torch.empty(batch, queries, dtype=torch.float32, device=student.device)
    lse = torch.empty(2, batch, queries, dtype=torch.float32, device=student.device)
    attention_kl_forward_kernel[(triton.cdiv(queries, tiles.queries), batch)](
        student, student_keys, teacher, teacher_keys, is_query.contiguous(), is_key.contiguous(), kl, lse,
        queries, keys, channels, teacher.shape[1],
        *student.stride(), *student_keys.stride(), *teacher.stride(), *teacher_keys.stride(), 1 / temperature,
        PRECISION=tiles.precision, BLOCK_Q=tiles.queries, BLOCK_K=tiles.keys, BLOCK_D=tiles.channels,
        num_warps=WARPS, num_stages=STAGES,
    )  # fmt: skip
    return kl.sum(), lse


@operator("attention_kl_gradient")
def attention_kl_gradient(
    coefficient: Tensor,
    lse: Tensor,
    student: Tensor,
    teacher: Tensor,
    student_keys: Tensor | None,
    teacher_keys: Tensor | None,
    is_key: Tensor,
    temperature: float,
    of_keys: bool,
) -> Tensor:
    """The gradient of ``coefficient`` ``()`` · Σ KL, of the queries' or the keys' shape and dtype.

    Where the queries are the keys, it is that of both.
    """
    themselves = student_keys is None
    student, teacher, student_keys, teacher_keys = _maps(student, teacher, student_keys, teacher_keys)
    own, other = (student_keys, student) if of_keys else (student, student_keys)
    own_teacher, other_teacher = (teacher_keys, teacher) if of_keys else (teacher, teacher_keys)
    (batch, channels, owns), others = own.shape, other.shape[2]
    gradient, is_key, tiles = torch.empty_like(own), is_key.contiguous(), tiles_of(own.dtype)
    block_g = min(tiles.gradient_channels, max(16, triton.next_power_of_2(channels)))
    attention_kl_backward_kernel[(triton.cdiv(owns, tiles.own), triton.cdiv(channels, block_g), batch)](
        own, other, own_teacher, other_teacher, lse, lse, is_key, is_key, coefficient, gradient,
        owns, others, channels, own_teacher.shape[1],
        *own.stride(), *other.stride(), *own_teacher.stride(), *other_teacher.stride(), *gradient.stride(),
        1 / temperature, float(min(1 << 14, triton.next_power_of_2(others))),
        QUERIES=themselves or not of_keys, KEYS=themselves or of_keys, PRECISION=tiles.precision,
        BLOCK_A=tiles.own, BLOCK_B=tiles.others, BLOCK_D=tiles.channels, BLOCK_G=block_g,
        num_warps=WARPS, num_stages=STAGES,
    )  # fmt: skip
    return gradient


def _maps(
    student: Tensor, teacher: Tensor, student_keys: Tensor | None, teacher_keys: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    if student_keys is None or teacher_keys is None:
        student_keys, teacher_keys = student, teacher
    # One product takes one dtype; the teacher's may be another's network.
    return student.detach(), teacher.detach().to(student.dtype), student_keys.detach(), teacher_keys.to(student.dtype)


@attention_kl_sum.register_fake
def _(student: Tensor, *_: object) -> tuple[Tensor, Tensor]:
    lse = student.new_empty(2, student.shape[0], student.shape[2], dtype=torch.float32)
    return student.new_empty((), dtype=torch.float32), lse


@attention_kl_gradient.register_fake
def _(
    coefficient: Tensor,  # noqa: ARG001
    lse: Tensor,  # noqa: ARG001
    student: Tensor,
    teacher: Tensor,  # noqa: ARG001
    student_keys: Tensor | None,
    *rest: object,
) -> Tensor:
    of_keys = rest[-1]
    return torch.empty_like(student_keys if of_keys and student_keys is not None else student)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    student, teacher, student_keys, teacher_keys, _, is_key, ctx.temperature = inputs
    ctx.save_for_backward(output[1], student, teacher, student_keys, teacher_keys, is_key)


def _backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
    of_queries = attention_kl_gradient(gradient, *ctx.saved_tensors, ctx.temperature, False)
    apart = ctx.saved_tensors[3] is not None
    of_keys = attention_kl_gradient(gradient, *ctx.saved_tensors, ctx.temperature, True) if apart else None
    return of_queries, None, of_keys, None, None, None, None


attention_kl_sum.register_autograd(_backward, setup_context=_save)
