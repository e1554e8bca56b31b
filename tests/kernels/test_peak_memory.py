"""What the process needs at its peak, forward and backward, where a form with P×P matrices needs 0.3 GB or more."""

import sys
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from kernels import attention_kl, cka, pairwise_mse
from kernels.benchmark.measure import peak_megabytes


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    # Many short products: on a busy machine two threads mostly wait for each other.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak")
@pytest.mark.parametrize(
    ("loss", "teacher_channels", "side", "limit_mb"),
    [
        (pairwise_mse, 16, 256, 120),
        (pairwise_mse, 24, 256, 240),
        (cka, 24, 256, 120),
        (attention_kl, 8, 64, 60),
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
