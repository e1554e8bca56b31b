"""Bring the teacher's maps to the student's, or say in one line why not."""

from typing import Literal

from torch import Tensor
from torch.nn import functional as F

from kernels.precision import accumulable
from train.errors import UserError
from train.losses.contract import Neighbour, Views
from train.models.taps import Tap, Taps

Resolution = Literal["logits", "label"]


def require_teacher(loss: str, views: Views) -> Taps:
    """The teacher's taps; `UserError` where the run has none."""
    if views.teacher is None:
        raise UserError(f"loss {loss} needs a teacher and the run has none: name a teacher or remove the loss")
    return views.teacher


def require_label(loss: str, views: Views) -> Tensor:
    """The label; `UserError` where the batch has none."""
    if views.label is None:
        raise UserError(f"loss {loss} needs labels and the batch has none: use labelled data or remove the loss")
    return views.label


def require_neighbour(loss: str, views: Views) -> Neighbour:
    """The second frame; `UserError` where the batch has none."""
    if views.neighbour is None:
        raise UserError(
            f"loss {loss} needs a second frame and the batch has none: use data with neighbours or remove the loss"
        )
    return views.neighbour


def matched(loss: str, views: Views, student_tap: Tap, teacher_tap: Tap) -> tuple[Tensor, Tensor]:
    """The student's map ``(N, D, h, w)`` and the teacher's ``(N, D', h, w)``, resized to the student's h and w.

    Raises:
        UserError: not the same number of images; the message names both shapes.
    """
    student, teacher = views.student[student_tap], require_teacher(loss, views)[teacher_tap]
    if student.shape[0] != teacher.shape[0]:
        raise UserError(
            f"loss {loss}: '{student_tap}' of the student is {tuple(student.shape)} and '{teacher_tap}' of the teacher "
            f"{tuple(teacher.shape)}, (N, D, H, W): N must agree"
        )
    return student, resize_to(teacher, student)


def check_logits(loss: str, student: Tensor, teacher: Tensor) -> None:
    """`UserError` unless both are logits ``(N, C, ·, ·)`` of the same images and classes."""
    if student.shape[:2] != teacher.shape[:2]:
        raise UserError(
            f"loss {loss}: student logits are {tuple(student.shape)} and teacher logits {tuple(teacher.shape)}, "
            "(N, C, H, W): N and C must agree; map the teacher's classes onto the data's"
        )


def check_label(loss: str, student: Tensor, label: Tensor | None) -> None:
    """`UserError` unless the label ``(N, H, W)`` is there for each image of the map ``(N, C, ·, ·)``."""
    if label is not None and (label.dim() != 3 or label.shape[0] != student.shape[0]):
        raise UserError(
            f"loss {loss}: student logits are {tuple(student.shape)}, (N, C, H, W), and labels "
            f"{tuple(label.shape)}: labels must be (N, H, W) with the same N"
        )


def resize_to(source: Tensor, target: Tensor) -> Tensor:
    """``source`` ``(N, D, H, W)`` resized bilinearly to the H×W of ``target`` ``(N, ·, H', W')``."""
    if source.shape[-2:] == target.shape[-2:]:
        return source
    return F.interpolate(accumulable(source), target.shape[-2:], mode="bilinear", align_corners=False)
