"""Hints: the student's features, through an adapter, are to be the teacher's."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from kernels.precision import accumulable
from train.losses.adapter import Adapter, adapter_between
from train.losses.contract import Loss, Needs, Source, Views
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, matched
from train.losses.valid import mean_over, valid_at
from train.models.tap_shapes import TapShapes

Norm = Literal["none", "l2", "channel"]

# Below a spread of 1e-3 a channel carries no pattern worth blowing up.
_FLAT = 1e-6


class FitnetConfig(FeatureLossConfig):
    """Settings of `Fitnet`."""

    source: ClassVar[Source] = Source(
        "Romero et al., FitNets: hints for thin deep nets", "https://arxiv.org/abs/1412.6550", "paper"
    )

    name: Literal["fitnet"] = "fitnet"
    weight: float = Field(default=10.0, ge=0, description="λ")
    norm: Norm = Field(
        default="none",
        description="of both maps before the difference; l2: each pixel to length 1; channel: each channel of an image "
        "to mean 0 and spread 1",
    )

    @property
    def needs(self) -> Needs:
        """The two taps."""
        return Needs(frozenset({self.student_tap}), frozenset({self.teacher_tap}), adapter=True)

    def build(self, shapes: TapShapes) -> "Fitnet":
        """The loss and its adapter."""
        return Fitnet(self, adapter_between(shapes, self.student_tap, self.teacher_tap))


class Fitnet(Loss):
    """Mean over the valid pixels of ‖norm(adapter(F^S))_i - norm(F^T)_i‖² / D, for maps ``(N, D, H, W)``.

    Romero et al., https://arxiv.org/abs/1412.6550, whose hints train the first half of the network in a stage of its
    own; here, as in all later comparisons, along with the labels. Spread and mean of ``norm: channel`` are those over
    the valid pixels of an image.
    """

    def __init__(self, config: FitnetConfig, adapter: Adapter) -> None:
        super().__init__()
        self.config = config
        self.adapter = adapter

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config = self.config
        student, teacher = matched("fitnet", views, config.student_tap, config.teacher_tap)
        check_label("fitnet", student, views.label)
        valid = valid_at(views.label, student)
        adapted = normalised(accumulable(self.adapter(student)), config.norm, valid)
        wanted = normalised(accumulable(teacher.detach()), config.norm, valid)
        return {"fitnet": mean_over(valid, (adapted - wanted).square().mean(1))}


def normalised(features: Tensor, norm: Norm, valid: Tensor) -> Tensor:
    """``features`` ``(N, D, H, W)`` by one of the norms, over the pixels ``valid`` ``(N, H, W)``."""
    if norm == "none":
        return features
    if norm == "l2":
        return F.normalize(features, dim=1)
    mask = valid[:, None]
    count = mask.sum((2, 3), keepdim=True).clamp(min=1)
    centred = features - torch.where(mask, features, 0).sum((2, 3), keepdim=True) / count
    variance = torch.where(mask, centred.square(), 0).sum((2, 3), keepdim=True) / count
    return centred / (variance + _FLAT).sqrt()
