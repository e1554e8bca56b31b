"""The layer between a student's features and a teacher's."""

from torch import nn


class Adapter(nn.Sequential):
    """1×1 convolution and batch norm, ``(N, D_student, H, W)`` to ``(N, D_teacher, H, W)``; no part of the export."""

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__(
            nn.Conv2d(student_channels, teacher_channels, kernel_size=1, bias=False),
            nn.BatchNorm2d(teacher_channels),
        )
