"""Decoupled knowledge distillation: the true class apart from the others."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from kernels import pixel_kl
from kernels.precision import accumulable
from kernels.valid import IGNORE_INDEX
from train.losses.contract import LOGITS, Loss, LossConfig, Needs, Source, Views, label_at
from train.losses.match import check_label, check_logits, require_label, require_teacher, resize_to
from train.losses.valid import over_pixels
from train.models.tap_shapes import TapShapes

# Of the true class, among the others. Finite, because 0 · (-inf - -inf) would be NaN.
_EXCLUDED = -1e30


class DkdConfig(LossConfig):
    """Settings of `Dkd`."""

    source: ClassVar[Source] = Source(
        "Zhao et al., Decoupled knowledge distillation", "https://arxiv.org/abs/2203.08679", "paper"
    )

    name: Literal["dkd"] = "dkd"
    temperature: float = Field(default=1.0, gt=0, description="τ of all softmaxes; the terms are multiplied by τ²")
    target_weight: float = Field(default=1.0, ge=0, description="α, of the true class against all others")
    non_target_weight: float = Field(default=2.0, ge=0, description="β, among the others")

    @property
    def needs(self) -> Needs:
        """Logits of both, and labels."""
        return Needs(teacher=LOGITS, labels=True)

    def build(self, shapes: TapShapes) -> "Dkd":  # noqa: ARG002
        """The loss."""
        return Dkd(self)


class Dkd(Loss):
    """Mean over the valid pixels of both parts of the divergence, for logits z ``(N, C, H, W)``, p = softmax(z / τ).

    Zhao et al., https://arxiv.org/abs/2203.08679, a pixel at a time, with the true class y and p̂ = p / (1 - p_y):

        dkd.target     = α τ² KL( (p^T_y, 1 - p^T_y) ‖ (p^S_y, 1 - p^S_y) )
        dkd.non_target = β τ² Σ_{c≠y} p̂^T_c log(p̂^T_c / p̂^S_c)

    kd is α = 1 with 1 - p^T_y in the place of β. Ignored pixels have no true class, and are dropped first. Public code
    hides the true class by taking 1000 off its logit, and averages over the images of a batch.
    """

    def __init__(self, config: DkdConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config, label = self.config, require_label("dkd", views)
        student, teacher = views.student.logits, require_teacher("dkd", views).logits
        check_logits("dkd", student, teacher)
        check_label("dkd", student, label)
        ids, temperature = label_at(label, student.shape[-2:]), config.temperature
        true = ids.long().masked_fill(ids == IGNORE_INDEX, 0)[:, None]
        maps = student, resize_to(teacher.detach(), student)
        student, teacher = (accumulable(z) for z in maps)
        s_others, t_others = (z.scatter(1, true, _EXCLUDED) for z in (student, teacher))
        s_decided, t_decided = (
            torch.cat([z.gather(1, true), temperature * (others / temperature).logsumexp(1, keepdim=True)], 1)
            for z, others in ((student, s_others), (teacher, t_others))
        )
        target, non_target = (
            over_pixels(pixel_kl(own, other, ids, temperature=temperature), ids, student)
            for own, other in ((s_decided, t_decided), (s_others, t_others))
        )
        return {"dkd.target": config.target_weight * target, "dkd.non_target": config.non_target_weight * non_target}
