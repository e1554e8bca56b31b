"""What the process needs at its peak, forward and backward, where a P×P matrix would be 0.3 or 17 GB."""

import sys
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kernels import attention_kl, cka, pairwise_mse
from kernels.benchmark.measure import peak_megabytes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak")
@pytest.mark.parametrize(
    ("loss", "teacher_channels", "side", "limit_mb"),
    [
        (pairwise_mse, 16, 256, 120),
        (pairwise_mse, 24, 256, 240),
        (cka, 24, 256, 120),
        (attention_kl, 8, 96, 80),
    ],
)
def test_stays_linear_in_pixels(
    loss: Callable[[Tensor, Tensor], Tensor], teacher_channels: int, side: int, limit_mb: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    student = torch.randn(1, 16, side, side, generator=generator).div_(4).requires_grad_()
    teacher = torch.randn(1, teacher_channels, side, side, generator=generator).div_(4)
    peak = peak_megabytes(lambda: loss(student, teacher).backward(), student.device)
    assert peak is not None
    assert peak < limit_mb
