"""The maps ``(N, H, W)`` that go with logits: label, scales of student and teacher, weight."""

from typing import Any

import triton
import triton.language as tl
from torch import Tensor

from kernels.triton.layout import per_pixel, per_pixel_label


def pixel_maps(
    unread: Tensor,
    label: Tensor | None,
    student_scale: Tensor | None,
    teacher_scale: Tensor | None,
    weight: Tensor | None,
) -> tuple[list[Tensor], dict[str, Any]]:
    """The maps in the kernels' order, ``unread`` in the place of None, and which of them are there."""
    maps = [per_pixel_label(label, unread), *(per_pixel(m, unread) for m in (student_scale, teacher_scale, weight))]
    return maps, {
        "LABELLED": label is not None,
        "STUDENT_SCALED": student_scale is not None,
        "TEACHER_SCALED": teacher_scale is not None,
        "WEIGHTED": weight is not None,
    }


@triton.jit
def scale_at(scale_ptr, at, mask, factor, SCALED: tl.constexpr):
    """``factor`` times the scale at ``at``."""
    if SCALED:
        return tl.load(scale_ptr + at, mask=mask, other=0.0) * factor
    return mask.to(tl.float32) * factor


@triton.jit
def weight_at(label_ptr, weight_ptr, at, mask, LABELLED: tl.constexpr, WEIGHTED: tl.constexpr):
    """(weight, 1 if valid) at ``at``, both 0 at ignored pixels."""
    valid = mask
    if LABELLED:
        valid = valid & (tl.load(label_ptr + at, mask=mask, other=255) != 255)
    if WEIGHTED:
        return tl.load(weight_ptr + at, mask=valid, other=0.0), valid.to(tl.float32)
    return valid.to(tl.float32), valid.to(tl.float32)
