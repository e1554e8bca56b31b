"""Attention-guided feature distillation: features refined by attention, at several stages."""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional as F

from kernels.precision import accumulable
from train.losses.adapter import adapter_between
from train.losses.cbam import Cbam, untrained_cbam
from train.losses.contract import Loss, LossConfig, Needs, Source, Views
from train.losses.match import check_label, matched
from train.losses.valid import mean_over, valid_at
from train.models.tap_shapes import TapShapes
from train.models.taps import Tap

_STAGES: tuple[Tap, ...] = ("stride:16", "stride:32", "fused")


class AfdConfig(LossConfig):
    """Settings of `Afd`."""

    source: ClassVar[Source] = Source(
        "Mansourian et al., Attention-guided feature distillation", "https://arxiv.org/abs/2403.05451", "code"
    )

    name: Literal["afd"] = "afd"
    weight: float = Field(default=2.0, ge=0, description="λ")
    student_taps: tuple[Tap, ...] = Field(default=_STAGES, min_length=1, description="which maps of the student")
    teacher_taps: tuple[Tap, ...] = Field(
        default=_STAGES, min_length=1, description="which maps of the teacher, as many, in the same order"
    )

    @model_validator(mode="after")
    def _pairs(self) -> "AfdConfig":
        if len(self.student_taps) != len(self.teacher_taps):
            raise ValueError(
                f"afd: {len(self.student_taps)} student_taps and {len(self.teacher_taps)} teacher_taps: "
                "each map of the student needs one of the teacher"
            )
        return self

    @property
    def needs(self) -> Needs:
        """The taps."""
        return Needs(frozenset(self.student_taps), frozenset(self.teacher_taps), adapter=True)

    def build(self, shapes: TapShapes) -> "Afd":
        """The loss; with an attention and an adapter a stage."""
        return Afd(
            self,
            attentions=[Cbam(shapes.student[tap].channels) for tap in self.student_taps],
            adapters=[
                adapter_between(shapes, *taps) for taps in zip(self.student_taps, self.teacher_taps, strict=True)
            ],
        )


class Afd(Loss):
    """Σ over the stages of ‖R^S / ‖R^S‖ - R^T / ‖R^T‖‖², norms over channels and valid pixels, mean over the images.

    Mansourian et al., https://arxiv.org/abs/2403.05451, for maps F ``(N, D, H, W)``:

        R^S = adapter(CBAM(F^S))                  its gates are trained along
        R^T = F^T gated by the sigmoid of the mean plus the maximum, of each channel, then of each pixel

    The authors' code takes ‖·‖ over the whole batch and divides by N once more: its λ = 2 at a batch of 6 acts as 2/6
    does here. An image without a valid pixel does not count.
    """

    def __init__(self, config: AfdConfig, attentions: Sequence[nn.Module], adapters: Sequence[nn.Module]) -> None:
        super().__init__()
        self.config = config
        self.attentions = nn.ModuleList(attentions)
        self.adapters = nn.ModuleList(adapters)

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        return {"afd": torch.stack([self._stage(index, views) for index in range(len(self.adapters))]).sum()}

    def _stage(self, index: int, views: Views) -> Tensor:
        config = self.config
        student, teacher = matched("afd", views, config.student_taps[index], config.teacher_taps[index])
        check_label("afd", student, views.label)
        valid = valid_at(views.label, student)
        refined = self.adapters[index](self.attentions[index](accumulable(student), valid))
        wanted = untrained_cbam(accumulable(teacher.detach()), valid)
        difference = _unit(accumulable(refined), valid) - _unit(wanted, valid)
        return mean_over(valid.flatten(1).any(1), difference.square().sum(1))


def _unit(features: Tensor, valid: Tensor) -> Tensor:
    """Each image as one vector of length 1, ``(N, D·H·W)``; 0 at ignored pixels."""
    return F.normalize(torch.where(valid[:, None], features, 0).flatten(1))
