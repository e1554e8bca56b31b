"""DIST: the student's predictions are to correlate with the teacher's."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from kernels.precision import accumulable
from train import processes
from train.losses.contract import LOGITS, Loss, LossConfig, Needs, Source, Views
from train.losses.match import check_label, check_logits, require_teacher, resize_to
from train.losses.valid import mean_over, valid_at
from train.models.tap_shapes import TapShapes

# A smaller spread of probabilities is round-off of fp32.
_SPREAD = 1e-6


class DistConfig(LossConfig):
    """Settings of `Dist`."""

    source: ClassVar[Source] = Source(
        "Huang et al., Knowledge distillation from a stronger teacher", "https://arxiv.org/abs/2205.10536", "paper"
    )

    name: Literal["dist"] = "dist"
    temperature: float = Field(default=1.0, gt=0, description="τ of both softmaxes; the terms are multiplied by τ²")
    inter_weight: float = Field(default=1.0, ge=0, description="β, of the correlation among the classes of a pixel")
    intra_weight: float = Field(default=1.0, ge=0, description="γ, of the correlation among the pixels of a class")

    @property
    def needs(self) -> Needs:
        """Logits of both."""
        return Needs(teacher=LOGITS)

    def build(self, shapes: TapShapes) -> "Dist":  # noqa: ARG002
        """The loss."""
        return Dist(self)


class Dist(Loss):
    """1 - mean of Pearson's ρ between both networks' probabilities p = softmax(z / τ), z ``(N, C, H, W)``.

    Huang et al., https://arxiv.org/abs/2205.10536:

        dist.inter = β τ² (1 - mean_i ρ(p^S_i, p^T_i))          among the classes, mean over the valid pixels
        dist.intra = γ τ² (1 - mean_c ρ(p^S_·c, p^T_·c))        among the valid pixels of the batch, mean over classes

    There is no ρ with what is constant: pixels at which the teacher is uniform, and classes that it sees nowhere, have
    no part in the means. Public code gives them a ρ near 0, which adds a constant.
    """

    def __init__(self, config: DistConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config, student, teacher = self.config, views.student.logits, require_teacher("dist", views).logits
        check_logits("dist", student, teacher)
        check_label("dist", student, views.label)
        # A correlation among the pixels of a batch is that of all its images, whatever process has them.
        valid = processes.all_images(valid_at(views.label, student))
        maps = (processes.all_images(z) for z in (student, resize_to(teacher.detach(), student)))
        p_s, p_t = ((accumulable(z) / config.temperature).softmax(1) for z in maps)
        own, other = (p - p.mean(1, keepdim=True) for p in (p_s, p_t))
        inter, defined = _correlation(own, other, (1,), student.shape[1])
        among_classes = mean_over(valid & defined, 1 - inter)
        count = valid.sum().clamp(min=1).to(p_s)
        own, other = (_centred(p, valid, count) for p in (p_s, p_t))
        intra, defined = _correlation(own, other, (0, 2, 3), count)
        among_pixels = mean_over(defined, 1 - intra)
        factor = config.temperature**2
        return {
            "dist.inter": factor * config.inter_weight * among_classes,
            "dist.intra": factor * config.intra_weight * among_pixels,
        }


def _centred(probabilities: Tensor, valid: Tensor, count: Tensor) -> Tensor:
    """Each class's mean over the valid pixels taken off; 0 at ignored ones."""
    mean = torch.where(valid[:, None], probabilities, 0).sum((0, 2, 3), keepdim=True) / count
    return torch.where(valid[:, None], probabilities - mean, 0)


def _correlation(student: Tensor, teacher: Tensor, dims: tuple[int, ...], count: Tensor | int) -> tuple[Tensor, Tensor]:
    """ρ of two centred maps along ``dims``, over ``count`` values, and where the teacher has a spread at all."""
    own, other = (torch.linalg.vector_norm(m, dim=dims) / count**0.5 for m in (student, teacher))
    covariance = (student * teacher).sum(dims) / count
    # Not above 1 by round-off, which would be a negative loss.
    return (covariance / own.clamp(min=_SPREAD) / other.clamp(min=_SPREAD)).clamp(max=1), other > _SPREAD
