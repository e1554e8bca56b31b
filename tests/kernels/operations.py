"""Every operation as a scalar of a student's map, a teacher's and a label: what tests of common promises run on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from kernels import (
    attention_kl,
    channel_attention,
    channel_kl,
    cka,
    class_means,
    condensation,
    cross_entropy,
    pairwise_mse,
    pixel_kl,
    position_attention,
)
from kernels.precision import accumulable

CLASSES = 4


class Inputs(NamedTuple):
    """Of one call."""

    student: Tensor
    teacher: Tensor
    label: Tensor


@dataclass(frozen=True)
class Operation:
    """One operation, and which of the common promises make sense for it."""

    name: str
    loss: Callable[[Tensor, Tensor, Tensor | None], Tensor]
    channels: int = CLASSES
    teacher_channels: int = CLASSES
    label_stride: int = 1
    """The label's resolution over the map's."""
    has_label: bool = True
    needs_label: bool = False
    zero_at_teacher: bool = False
    order_matters: bool = False
    """Of the pixels: of those of a map that is upsampled, or cut into blocks."""
    copies_matter: bool = False
    """Of the batch."""
    least_images: int = 1
    in_single: bool = True
    """Maps of half precision are summed in fp32."""

    def inputs(self, batch: int = 4, height: int = 5, width: int = 6, dtype: torch.dtype = torch.float64) -> Inputs:
        """Maps with a spread of 3, and labels a fifth of which is ignored; the first pixel is not."""
        maps = [
            (3 * torch.randn(batch, channels, height, width, generator=seeded(seed), dtype=torch.float64)).to(dtype)
            for seed, channels in enumerate((self.channels, self.teacher_channels))
        ]
        size = (batch, height * self.label_stride, width * self.label_stride)
        label = torch.randint(0, CLASSES, size, generator=seeded(3), dtype=torch.uint8)
        label[torch.rand(size, generator=seeded(4)) < 0.2] = 255
        label[0, 0, 0] = 0
        return Inputs(*maps, label)

    def loss_and_gradient(self, student: Tensor, teacher: Tensor, label: Tensor | None) -> tuple[Tensor, Tensor]:
        """The gradient is the student's."""
        leaf = student.detach().requires_grad_()
        loss = self.loss(leaf, teacher, label)
        (gradient,) = torch.autograd.grad(loss, leaf)
        return loss.detach(), gradient


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _scale(teacher: Tensor) -> Tensor:
    return teacher.detach().double().std(1)


def scaled_pixel_kl(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    scales = {"student_scale": _scale(teacher), "teacher_scale": 2 * _scale(teacher)}
    return pixel_kl(student, teacher, label, temperature=2, **scales)


def weighted_pixel_kl(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    return pixel_kl(student, teacher, label, weight=_scale(teacher), mean_over="weight")


def upsampled_pixel_kl(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    size = (student.shape[2] * 2, student.shape[3] * 2)
    return pixel_kl(student, teacher, label, temperature=2, size=size)


def condensed_channel_kl(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    matrix, _, channel = condensation(teacher, label)
    scales = {"student_scale": matrix, "teacher_scale": matrix, "teacher_channel_scale": channel}
    return channel_kl(student, teacher, label, **scales)


def label_cross_entropy(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    del teacher
    assert label is not None
    return cross_entropy(student, label)


def pairwise_mse_of_frames(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    """The other frame is the map with its channels turned around."""
    others = {"student_other": student.flip(1), "teacher_other": teacher.flip(1)}
    return pairwise_mse(student, teacher, label, **others, label_other=label)


def attention_kl_of_frames(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    keys = {"student_keys": student.flip(1), "teacher_keys": teacher.flip(1)}
    return attention_kl(student, teacher, label, **keys, label_keys=label, temperature=3)


def attention_kl_across_images(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    return attention_kl(student, teacher, label, across_images=True)


def released_cka(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    del label
    return cka(student, teacher, mode="released")


def debiased_cka(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    del label
    return cka(student, teacher, mode="debiased")


def spread_of_class_means(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    del teacher
    assert label is not None
    mean, cosine = class_means(student, label, CLASSES)
    valid = label != 255
    images = valid.flatten(1).any(1).sum().clamp(min=1)
    return cosine.square().sum() / valid.sum().clamp(min=1) + mean.square().sum() / images


def _mean_square(features: Tensor) -> Tensor:
    return accumulable(features).square().mean()


def squared_channel_attention(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    del teacher, label
    return _mean_square(channel_attention(student))


def squared_position_attention(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    del teacher, label
    return _mean_square(position_attention(student, student.flip(1), 2 * student))


def squared_attention_of_one_block(student: Tensor, teacher: Tensor, label: Tensor | None) -> Tensor:
    del teacher, label
    return _mean_square(position_attention(student, student.flip(1), 2 * student, grid=1))


OPERATIONS = [
    Operation("pixel_kl", pixel_kl, zero_at_teacher=True),
    Operation("pixel_kl, scales", scaled_pixel_kl),
    Operation("pixel_kl, weights", weighted_pixel_kl, zero_at_teacher=True),
    Operation("pixel_kl, upsampled", upsampled_pixel_kl, label_stride=2, zero_at_teacher=True, order_matters=True),
    Operation("channel_kl", channel_kl, zero_at_teacher=True),
    Operation("channel_kl, scales", condensed_channel_kl),
    Operation("cross_entropy", label_cross_entropy, needs_label=True),
    Operation("cross_entropy, upsampled", label_cross_entropy, label_stride=2, needs_label=True, order_matters=True),
    Operation("pairwise_mse", pairwise_mse, zero_at_teacher=True),
    Operation("pairwise_mse, other channels", pairwise_mse, teacher_channels=6),
    Operation("pairwise_mse, few pixels", pairwise_mse, channels=24, teacher_channels=24, zero_at_teacher=True),
    Operation("pairwise_mse, two frames", pairwise_mse_of_frames, zero_at_teacher=True),
    Operation("pairwise_mse, two frames, other channels", pairwise_mse_of_frames, teacher_channels=6),
    Operation("attention_kl", attention_kl, teacher_channels=3),
    Operation("attention_kl, two frames", attention_kl_of_frames, zero_at_teacher=True),
    Operation("attention_kl, across images", attention_kl_across_images, zero_at_teacher=True),
    Operation("cka", cka, teacher_channels=3),
    Operation("cka, released", released_cka, teacher_channels=3, has_label=False, least_images=3),
    Operation("cka, debiased", debiased_cka, has_label=False, copies_matter=True, least_images=4),
    Operation("class_means", spread_of_class_means, needs_label=True),
    Operation("channel_attention", squared_channel_attention, has_label=False),
    Operation("position_attention", squared_position_attention, has_label=False, order_matters=True, in_single=False),
    Operation("position_attention, one block", squared_attention_of_one_block, has_label=False, in_single=False),
]
