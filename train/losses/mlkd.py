"""Multi-level knowledge distillation for continuous images."""

from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from kernels import pairwise_mse
from kernels.precision import accumulable
from train.errors import UserError
from train.losses.adapter import adapter_between
from train.losses.at import attention_transfer
from train.losses.consistency import consistency, visibility
from train.losses.contract import LOGITS, NOTHING, Loss, Needs, Source, Views, label_at, label_of
from train.losses.cwd import channel_wise
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, check_logits, matched, require_neighbour, require_teacher, resize_to
from train.losses.valid import mean_over, over_images, valid_at
from train.models.tap_shapes import TapShapes
from train.models.taps import Tap

Stride = Annotated[int, Field(ge=1)]


class MlkdConfig(FeatureLossConfig):
    """Settings of `Mlkd`: the abstract names the levels, and what is compared at each of them is our choice."""

    source: ClassVar[Source] = Source(
        "Zhi et al., Semantic segmentation method for continuous images based on multi-level knowledge distillation",
        "https://scholar.hit.edu.cn/en/publications/基于多层次知识蒸馏的连续图像语义分割方法/",
        "reconstructed",
    )

    name: Literal["mlkd"] = "mlkd"
    low: Literal["mse", "attention", "cwd"] = Field(
        default="mse",
        description="what is compared at the stages; mse and cwd: features, the student's through adapters; "
        "attention: where they are strong",
    )
    stages: tuple[Stride, ...] = Field(
        default=(4, 8, 16, 32), min_length=1, description="strides of the encoder stages of the low level, in pixels"
    )
    cwd_temperature: float = Field(default=4.0, gt=0, description="τ of low: cwd")
    low_weight: float = Field(default=10.0, ge=0, description="λ_low; 0: the level is not computed and needs nothing")
    mid_weight: float = Field(default=10.0, ge=0, description="λ_mid, of the two taps; 0: as for λ_low")
    high_weight: float = Field(default=1.0, ge=0, description="λ_high, of logits of two frames; 0: as for λ_low")
    consistency_weight: float = Field(
        default=0.1, ge=0, description="λ_sc, of the student's own predictions for two frames; 0: as for λ_low"
    )

    @model_validator(mode="after")
    def _not_nothing(self) -> "MlkdConfig":
        if not (self.low_weight or self.mid_weight or self.high_weight or self.consistency_weight):
            raise ValueError("mlkd: all four weights are 0 and nothing would be learnt: raise one or remove the loss")
        return self

    @property
    def needs(self) -> Needs:
        """What the levels need whose weight is not 0."""
        needs = Needs(student=NOTHING)
        if self.low_weight:
            stages = frozenset(self.stage_taps)
            needs |= Needs(stages, stages, adapter=self.low != "attention")
        if self.mid_weight:
            needs |= Needs(frozenset({self.student_tap}), frozenset({self.teacher_tap}))
        if self.high_weight:
            needs |= Needs(LOGITS, LOGITS, neighbour_student=LOGITS, neighbour_teacher=LOGITS)
        if self.consistency_weight:
            needs |= Needs(LOGITS, neighbour_student=LOGITS, flow=True)
        return needs

    @property
    def stage_taps(self) -> list[Tap]:
        """Of the low level."""
        return [f"stride:{stride}" for stride in self.stages]

    def build(self, shapes: TapShapes) -> "Mlkd":
        """The loss; with an adapter a stage, where the low level has them."""
        adapted = self.stage_taps if self.low_weight and self.low != "attention" else []
        return Mlkd(self, nn.ModuleList(adapter_between(shapes, tap, tap) for tap in adapted))


class Mlkd(Loss):
    """Three levels of a teacher's knowledge, and the student's agreement with itself from frame to frame.

    After Zhi et al., CIMS 2023, 29(4):1244-1253; reconstructed from its abstract, with the closest public code, that of
    Liu et al., ECCV 2020 (https://arxiv.org/abs/2002.11433), for the last two terms. Frames t and t+k; for the start
    values, each an own term that its λ multiplies:

        mlkd.low          10 · mean over the stages k, maps ``(N, D_k, h, w)``, of ‖adapter(F^S_k)_i - F^T_k,i‖² / D_k,
                          mean over valid pixels i; or `attention_transfer`; or channel-wise distillation, with adapters
        mlkd.mid          10 · pairwise_mse(F^S, F^T) of the fused maps ``(N, D, h, w)``
        mlkd.high          1 · 1/P² Σ_ij (G^S_ij - G^T_ij)², G_ij = cos(z_i(t), z_j(t+k)), logits ``(N, C, h, w)``
        mlkd.consistency 0.1 · Σ_i o_i ‖p_i(t) - warp(p(t+k))_i‖² / Σ_i o_i, student only, p = softmax_c(z)

    o is `visibility`, exp(-Σ_ch |I(t) - warp(I(t+k))|) where the second frame shows the point, 0 at ignored pixels. The
    second frame has no label, so all of it but padding is valid. λ_low goes with ``low: mse``: attention maps differ by
    far less.

    That code distils the single-frame levels from both frames: here that is a mlkd of its own in the list, with
    ``frames: both`` and the last two weights 0. λ_sc is its 0.1.
    """

    def __init__(self, config: MlkdConfig, adapters: nn.ModuleList) -> None:
        super().__init__()
        self.config = config
        self.adapters = adapters

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config = self.config
        terms = {}
        if config.low_weight:
            terms["mlkd.low"] = config.low_weight * self._low(views)
        if config.mid_weight:
            terms["mlkd.mid"] = config.mid_weight * self._mid(views)
        if config.high_weight:
            terms["mlkd.high"] = config.high_weight * _high(views)
        if config.consistency_weight:
            terms["mlkd.consistency"] = config.consistency_weight * _consistency(views)
        return terms

    def _low(self, views: Views) -> Tensor:
        return torch.stack([self._stage(index, views) for index in range(len(self.config.stages))]).mean()

    def _stage(self, index: int, views: Views) -> Tensor:
        config, tap = self.config, self.config.stage_taps[index]
        student, teacher = matched("mlkd", views, tap, tap)
        check_label("mlkd", student, views.label)
        if config.low == "attention":
            return attention_transfer(student, teacher, views.label)
        student = self.adapters[index](student)
        if config.low == "cwd":
            return channel_wise(student, teacher, views.label, config.cwd_temperature)
        difference = accumulable(student) - accumulable(teacher.detach())
        return mean_over(valid_at(views.label, student), difference.square().mean(1))

    def _mid(self, views: Views) -> Tensor:
        student, teacher = matched("mlkd", views, self.config.student_tap, self.config.teacher_tap)
        check_label("mlkd", student, views.label)
        label = _label_at(student, views.label)
        return over_images(pairwise_mse(student, teacher, label), (label, student))


def _high(views: Views) -> Tensor:
    student, neighbour = views.student.logits, require_neighbour("mlkd", views)
    if neighbour.teacher is None:
        raise UserError("loss mlkd needs a teacher for its high level: name a teacher, or set its high_weight to 0")
    teacher, teacher_other = require_teacher("mlkd", views).logits, neighbour.teacher.logits
    check_logits("mlkd", student, teacher)
    check_label("mlkd", student, views.label)
    student_other, label = neighbour.student.logits, _label_at(student, views.label)
    label_other = _label_at(student_other, label_of(neighbour.valid))
    difference = pairwise_mse(
        student,
        resize_to(teacher, student),
        label,
        student_other=student_other,
        teacher_other=resize_to(teacher_other, student_other),
        label_other=label_other,
    )
    return over_images(difference, (label, student), (label_other, student_other))


def _consistency(views: Views) -> Tensor:
    logits, other = views.student.logits, require_neighbour("mlkd", views)
    check_label("mlkd", logits, views.label)
    if views.image is None or other.image is None or other.flow is None or other.visible is None:
        raise UserError("loss mlkd needs optical flow for its consistency: use data with flow, or set its weight to 0")
    weight = visibility(views.image, other.image, other.flow, other.visible, logits.shape[-2:])
    return consistency(logits, other.student.logits, other.flow, weight * valid_at(views.label, logits))


def _label_at(features: Tensor, label: Tensor | None) -> Tensor | None:
    return None if label is None else label_at(label, features.shape[-2:])
