"""The layer between a student's features and a teacher's."""

from torch import nn

from train.models.tap_shapes import TapShapes
from train.models.taps import Tap


class Adapter(nn.Sequential):
    """1×1 convolution and batch norm, ``(N, D_student, H, W)`` to ``(N, D_teacher, H, W)``; no part of the export."""

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__(
            nn.Conv2d(student_channels, teacher_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(teacher_channels),
        )


def adapter_between(shapes: TapShapes, student_tap: Tap, teacher_tap: Tap) -> Adapter:
    """The adapter from one tap of the student to one of the teacher."""
    return Adapter(shapes.student[student_tap].channels, shapes.teacher[teacher_tap].channels)
