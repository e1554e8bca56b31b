"""Mean squared difference of all pairwise cosine similarities, in linear memory."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.precision import accumulable
from kernels.valid import map_size, valid_pixels

# Pixels per channel up to which a P×P matrix is faster forward and backward, measured on a CPU at 128 channels: between
# 1.0 and 1.5 of them where the channel counts are alike, between 2 and 4 where they are not.
_FEW_PIXELS = 1.3
_FEW_PIXELS_UNLIKE = 3


def pairwise_mse(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    student_other: Tensor | None = None,
    teacher_other: Tensor | None = None,
    label_other: Tensor | None = None,
) -> Tensor:
    """1/P² Σ_ij (s^S_ij - s^T_ij)², s_ij = cos(x_i, x_j) over the valid pixels of an image; the mean over images.

    The pairwise loss of structured knowledge distillation (Liu et al., https://arxiv.org/abs/1903.04197) and the
    cosine form of pixel-wise feature similarities (Shan, https://arxiv.org/abs/1910.14226; reconstructed from its
    abstract). With a second map, s_ij = cos(x_i, y_j): the dependency between two frames.

    With rows of length 1, X_S X_Sᵀ - X_T X_Tᵀ = Δ Mᵀ + M Δᵀ for Δ = X_S - X_T and M = (X_S + X_T) / 2, so the sum is
    2⟨ΔᵀΔ, MᵀM⟩ + 2⟨ΔᵀM, MᵀΔ⟩: products of D×D, O(P D²) time, O(P D + D²) memory, no P×P matrix, and no cancellation
    where the student is close to its teacher. For unequal channel counts there is no Δ:
    ‖X_SᵀX_S‖² + ‖X_TᵀX_T‖² - 2‖X_SᵀX_T‖² in fp64, as it cancels. Where pixels are few, the P×P form is the cheaper
    one. All of it is matrix products, for which the vendor's library is the best tool on every device.

    Args:
        student: ``(N, D, H, W)``.
        teacher: ``(N, D', H, W)``; no gradient reaches it.
        label: ``(N, H, W)``, 255 = ignore; None: every pixel is valid.
        student_other: y of the student, ``(N, D, H', W')``; None: x itself.
        teacher_other: y of the teacher, ``(N, D', H', W')``.
        label_other: of y, ``(N, H', W')``.

    Returns:
        A scalar, in fp32 for inputs of half precision; images without a valid pair do not count.
    """
    if (student_other is None) != (teacher_other is None):
        raise ValueError("student_other and teacher_other go together, and one of them is missing: give both or none")
    x_s, x_t, valid_x = _rows(student, teacher, label)
    if student_other is None or teacher_other is None:
        y_s, y_t, valid_y = x_s, x_t, valid_x
    else:
        y_s, y_t, valid_y = _rows(student_other, teacher_other, label_other)
    # Matrix products of half precision would undo the accuracy that the form is for.
    with torch.autocast(student.device.type, enabled=False):
        alike = x_s.shape[1] == x_t.shape[1]
        few = (_FEW_PIXELS if alike else _FEW_PIXELS_UNLIKE) * max(x_s.shape[1], x_t.shape[1])
        if max(x_s.shape[2], y_s.shape[2]) <= few:
            total = (x_s.mT @ y_s - x_t.mT @ y_t).square().sum((1, 2))
        elif alike:
            others = (None, None) if y_s is x_s else (y_s, y_t)
            total = _ByDifference.apply(x_s, x_t, *others)
        else:
            total = _by_gram(x_s, x_t, y_s, y_t)
    return _mean(total, valid_x, valid_y, x_s.dtype)


def reference_pairwise_mse(
    student: Tensor,
    teacher: Tensor,
    label: Tensor | None = None,
    *,
    student_other: Tensor | None = None,
    teacher_other: Tensor | None = None,
    label_other: Tensor | None = None,
) -> Tensor:
    """`pairwise_mse` as its formula reads, with its P×P matrices."""
    x_s, x_t, valid_x = _rows(student, teacher, label)
    if student_other is None or teacher_other is None:
        y_s, y_t, valid_y = x_s, x_t, valid_x
    else:
        y_s, y_t, valid_y = _rows(student_other, teacher_other, label_other)
    return _mean((x_s.mT @ y_s - x_t.mT @ y_t).square().sum((1, 2)), valid_x, valid_y, x_s.dtype)


def _rows(student: Tensor, teacher: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors of both ``(N, D, P)``, 0 at ignored pixels, and the valid pixels ``(N, P)``."""
    valid = valid_pixels(label, map_size(student), student.device).flatten(1)
    x_s = F.normalize(accumulable(student).flatten(2), dim=1)
    x_t = F.normalize(accumulable(teacher.detach()).flatten(2), dim=1)
    if label is None:
        return x_s, x_t, valid
    return x_s * valid[:, None], x_t * valid[:, None], valid


class _ByDifference(torch.autograd.Function):
    """‖Δ_x M_yᵀ + M_x Δ_yᵀ‖² of each image ``(N,)``, for unit vectors ``(N, D, P)``; without y, y = x.

    Backward needs no product of D×P by P×D: as X_S = M + Δ/2, they are all among those of forward.
    """

    @staticmethod
    def forward(ctx: Any, x_s: Tensor, x_t: Tensor, y_s: Tensor | None, y_t: Tensor | None) -> Tensor:
        delta_x, mean_x, *grams_x = _grams(x_s, x_t)
        if y_s is None or y_t is None:
            ctx.save_for_backward(delta_x, mean_x, *grams_x)
            return 2 * _inner(grams_x, grams_x)
        delta_y, mean_y, *grams_y = _grams(y_s, y_t)
        ctx.save_for_backward(delta_x, mean_x, *grams_x, delta_y, mean_y, *grams_y)
        return _inner(grams_x, grams_y) + _inner(grams_y, grams_x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Of X_S and Y_S."""
        gradient = 2 * gradient[:, None, None]
        x, y = ctx.saved_tensors[:5], ctx.saved_tensors[5:]
        # It may be asked for within autocast, which would round its products.
        with torch.autocast(gradient.device.type, enabled=False):
            if not y:
                return _slope(x[0], x[1], x[2:], 2 * gradient), None, None, None
            return _slope(x[0], x[1], y[2:], gradient), None, _slope(y[0], y[1], x[2:], gradient), None


def _grams(student: Tensor, teacher: Tensor) -> tuple[Tensor, ...]:
    """Δ, M ``(N, D, P)`` and Δ Δᵀ, M Mᵀ, Δ Mᵀ ``(N, D, D)``."""
    delta = student - teacher
    mean = student.add(delta, alpha=-0.5)
    return delta, mean, delta @ delta.mT, mean @ mean.mT, delta @ mean.mT


def _inner(x: Sequence[Tensor], y: Sequence[Tensor]) -> Tensor:
    return _dot(x[0], y[1]) + _dot(x[2], y[2].mT)


def _slope(delta: Tensor, mean: Tensor, grams: Sequence[Tensor], factor: Tensor) -> Tensor:
    """((Y_Sᵀ M_y) Δ + (Y_Sᵀ Δ_y) M) · factor, with the grams of y."""
    of_delta, of_mean, mixed = grams
    return torch.baddbmm(factor * (of_mean + mixed / 2) @ delta, factor * (mixed.mT + of_delta / 2), mean)


def _by_gram(x_s: Tensor, x_t: Tensor, y_s: Tensor, y_t: Tensor) -> Tensor:
    x_s, x_t, y_s, y_t = x_s.double(), x_t.double(), y_s.double(), y_t.double()
    squares = _dot(x_s @ x_s.mT, y_s @ y_s.mT) + _dot(x_t @ x_t.mT, y_t @ y_t.mT)
    return squares - 2 * _dot(x_s @ x_t.mT, y_s @ y_t.mT)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((1, 2))


def _mean(total: Tensor, valid_x: Tensor, valid_y: Tensor, dtype: torch.dtype) -> Tensor:
    pairs = valid_x.sum(1).double() * valid_y.sum(1)
    images = (pairs > 0).sum().clamp(min=1)
    return (total / pairs.clamp(min=1)).sum().to(dtype) / images
