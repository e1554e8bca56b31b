"""What the process needs at its peak, forward and backward, where public code's matrices need much more."""

import ctypes
import sys
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from kernels import (
    attention_kl,
    channel_attention,
    channel_kl,
    cka,
    condensation,
    cross_entropy,
    pairwise_mse,
    pixel_kl,
    position_attention,
)
from kernels.benchmark.measure import peak_megabytes

Loss = Callable[[Tensor, Tensor], Tensor]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak")


M_MMAP_THRESHOLD = -3


@pytest.fixture(autouse=True)
def steady() -> Iterator[None]:
    # Many short products: on a busy machine two threads mostly wait for each other.
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    # Freed maps go back to the system: glibc's heap would keep up to twice of what lives, by fragmentation.
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)
    yield
    ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 25)
    torch.set_num_threads(before)


def assert_needs_less(loss: Loss, student: tuple[int, ...], teacher: tuple[int, ...], limit_mb: float) -> None:
    generator = torch.Generator().manual_seed(0)
    student_map = torch.randn(student, generator=generator).div_(4).requires_grad_()
    teacher_map = torch.randn(teacher, generator=generator).div_(4)
    peak = peak_megabytes(lambda: loss(student_map, teacher_map).backward(), student_map.device)
    assert peak is not None
    assert peak < limit_mb


def between_frames(loss: Callable[..., Tensor], student: str, teacher: str) -> Loss:
    return lambda s, t: loss(s, t, **{student: s.flip(2), teacher: t.flip(2)})


@pytest.mark.parametrize(
    ("loss", "teacher_channels", "side", "limit_mb"),
    [
        (pairwise_mse, 16, 256, 120),
        (pairwise_mse, 24, 256, 240),
        (between_frames(pairwise_mse, "student_other", "teacher_other"), 16, 256, 200),
        (cka, 24, 256, 120),
        (attention_kl, 8, 64, 60),
        (between_frames(attention_kl, "student_keys", "teacher_keys"), 8, 64, 60),
        (lambda s, _: position_attention(s, s, s, grid=2).sum(), 8, 128, 60),
        (lambda s, _: channel_attention(s).sum(), 8, 256, 60),
    ],
    ids=["pairwise", "pairwise, other channels", "pairwise, two frames", "cka", "attention", "attention, two frames",
         "position attention", "channel attention"],
)  # fmt: skip
def test_stays_linear_in_pixels(loss: Loss, teacher_channels: int, side: int, limit_mb: float) -> None:
    """A P×P matrix is 17 GB at a side of 256, 0.27 GB in four blocks of a side of 64, and 67 MB at a side of 64."""
    assert_needs_less(loss, (1, 16, side, side), (1, teacher_channels, side, side), limit_mb)


SIZE = (256, 512)
LABEL = torch.zeros(8, *SIZE, dtype=torch.uint8)


@pytest.mark.parametrize(
    "loss",
    [lambda s, t: pixel_kl(s, t, LABEL, size=SIZE), lambda s, _: cross_entropy(s, LABEL)],
    ids=["pixel_kl", "cross_entropy"],
)
def test_upsampling_holds_an_image_at_a_time(loss: Loss) -> None:
    """A batch of logits at the label's resolution is 80 MB."""
    assert_needs_less(loss, (8, 19, 32, 64), (8, 19, 64, 128), 70)


def condensed(student: Tensor, teacher: Tensor) -> Tensor:
    matrix, spatial, _ = condensation(teacher)
    return pixel_kl(student, teacher, student_scale=matrix, teacher_scale=matrix * spatial)


@pytest.mark.parametrize("loss", [pixel_kl, channel_kl, condensed], ids=["pixel_kl", "channel_kl", "condensation"])
def test_a_loss_of_logits_makes_little_beside_its_gradient(loss: Loss) -> None:
    """Which is twice a map for a moment: 80 MB forward, and 80 that backward multiplies it to."""
    assert_needs_less(loss, (8, 19, *SIZE), (8, 19, *SIZE), 200)
