"""Attention transfer: where the features are strong."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from kernels.precision import accumulable
from train.losses.contract import Loss, Needs, Source, Views
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, matched
from train.losses.valid import mean_over, valid_at
from train.models.tap_shapes import TapShapes


class AtConfig(FeatureLossConfig):
    """Settings of `At`."""

    source: ClassVar[Source] = Source(
        "Zagoruyko & Komodakis, Paying more attention to attention", "https://arxiv.org/abs/1612.03928", "paper"
    )

    name: Literal["at"] = "at"
    weight: float = Field(default=1e4, ge=0, description="λ; large, as an attention map has length 1 over all pixels")

    @property
    def needs(self) -> Needs:
        """The two taps."""
        return Needs(frozenset({self.student_tap}), frozenset({self.teacher_tap}))

    def build(self, shapes: TapShapes) -> "At":  # noqa: ARG002
        """The loss."""
        return At(self)


class At(Loss):
    """Mean over the valid pixels of (Q^S_i - Q^T_i)², with the attention maps Q of both networks.

    Zagoruyko & Komodakis, https://arxiv.org/abs/1612.03928, for one pair of maps; list the loss once a stage for more.
    Channel counts may differ, there is no adapter. The paper sums over the pixels of an image, and its code takes the
    mean as here: λ = 1e4 goes with the mean.
    """

    def __init__(self, config: AtConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        student, teacher = matched("at", views, self.config.student_tap, self.config.teacher_tap)
        check_label("at", student, views.label)
        return {"at": attention_transfer(student, teacher, views.label)}


def attention_transfer(student: Tensor, teacher: Tensor, label: Tensor | None = None) -> Tensor:
    """Mean square difference of two attention maps over the valid pixels; 0 where there is none.

    Args:
        student: ``(N, D, H, W)``.
        teacher: ``(N, D', H, W)``; no gradient reaches it.
        label: ``(N, ·, ·)``, of any resolution, 255 = ignore; None: every pixel is valid.
    """
    valid = valid_at(label, student)
    difference = attention_map(student, valid) - attention_map(teacher.detach(), valid)
    return mean_over(valid, difference.square())


def attention_map(features: Tensor, valid: Tensor) -> Tensor:
    """Q = A / ‖A‖ with A_i = mean_d F_id² over the valid pixels i of each image; 0 at the others.

    Args:
        features: F, ``(N, D, H, W)``.
        valid: ``(N, H, W)``.

    Returns:
        ``(N, H, W)``, in fp32 for features of half precision.
    """
    strength = torch.where(valid, accumulable(features).square().mean(1), 0)
    return F.normalize(strength.flatten(1)).view_as(strength)
