"""Knowledge distillation, weighted by how much the student has still to learn at a pixel."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from kernels import pixel_kl
from kernels.precision import accumulable
from train import processes
from train.losses.contract import LOGITS, Loss, LossConfig, Needs, Source, Views, label_at
from train.losses.match import check_label, check_logits, require_label, require_teacher, resize_to
from train.losses.valid import valid_at
from train.models.tap_shapes import TapShapes

Gap = Literal["probability", "absolute", "cross_entropy", "kl"]


class WkdConfig(LossConfig):
    """Settings of `Wkd`: the abstract says that there is a weight by the gap, and which one is ours."""

    source: ClassVar[Source] = Source(
        "Shan, Distilling pixel-wise feature similarities for semantic segmentation",
        "https://arxiv.org/abs/1910.14226",
        "reconstructed",
    )

    name: Literal["wkd"] = "wkd"
    gap: Gap = Field(
        default="probability",
        description="g, of the label's class: by how much the teacher's probability is higher; absolute: or lower; "
        "cross_entropy: by how much the student's is higher; kl: of the two softmaxes, needs no label",
    )
    normalise: bool = Field(default=True, description="divide g by its mean over the valid pixels of the batch")
    temperature: float = Field(default=1.0, gt=0, description="τ of all softmaxes; the term is multiplied by τ²")

    @property
    def needs(self) -> Needs:
        """Logits of both; labels, but for the KL gap."""
        return Needs(teacher=LOGITS, labels=self.gap != "kl")

    def build(self, shapes: TapShapes) -> "Wkd":  # noqa: ARG002
        """The loss."""
        return Wkd(self)


class Wkd(Loss):
    """τ² Σ_i ĝ_i KL(p^T_i ‖ p^S_i) over the valid pixels i, divided by their number; ĝ = g / mean(g), or g itself.

    After Shan, https://arxiv.org/abs/1910.14226; reconstructed from its abstract: `knowledge_gap` has the four forms of
    g. No gradient flows through g, so the gradient is not that of the value. Logits ``(N, C, H, W)`` are compared at
    the student's own stride. 0 where the student has no gap at any pixel.
    """

    def __init__(self, config: WkdConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config, student, teacher = self.config, views.student.logits, require_teacher("wkd", views).logits
        check_logits("wkd", student, teacher)
        check_label("wkd", student, views.label)
        label = views.label if config.gap == "kl" else require_label(f"wkd with gap: {config.gap}", views)
        label = None if label is None else label_at(label, student.shape[-2:])
        teacher = resize_to(teacher, student)
        gap = knowledge_gap(student, teacher, label, gap=config.gap, temperature=config.temperature)
        # Σ ĝ KL / #valid is Σ g KL / Σ g.
        mean_over: Literal["weight", "valid"] = "weight" if config.normalise else "valid"
        divergence = pixel_kl(student, teacher, label, temperature=config.temperature, weight=gap, mean_over=mean_over)
        over = torch.where(valid_at(label, student), gap, 0) if config.normalise else valid_at(label, student)
        return {"wkd": processes.part_of_mean(divergence, over.sum())}


@torch.no_grad()
def knowledge_gap(
    student: Tensor, teacher: Tensor, label: Tensor | None, *, gap: Gap = "probability", temperature: float = 1.0
) -> Tensor:
    """g ``(N, H, W)``, a constant, not negative, in fp32 for logits of half precision.

    With p = softmax(z / τ) and the label y_i:

        probability     max(0, p^T_i(y_i) - p^S_i(y_i))
        absolute        |p^T_i(y_i) - p^S_i(y_i)|
        cross_entropy   max(0, log p^T_i(y_i) - log p^S_i(y_i))
        kl              KL(p^T_i ‖ p^S_i)

    Args:
        student: logits ``(N, C, H, W)``.
        teacher: logits ``(N, C, H, W)``.
        label: ``(N, H, W)``; what g is at ignored pixels means nothing. None: for ``kl`` alone.
        gap: which form.
        temperature: τ.
    """
    log_student, log_teacher = ((accumulable(logits) / temperature).log_softmax(1) for logits in (student, teacher))
    if gap == "kl":
        found = (log_teacher.exp() * (log_teacher - log_student)).sum(1)
    elif label is None:
        raise ValueError(f"the gap {gap} is that of the label's class: give a label, or take the gap kl")
    else:
        ids = label.long().clamp(max=student.shape[1] - 1)[:, None]
        own_student, own_teacher = (log_p.gather(1, ids)[:, 0] for log_p in (log_student, log_teacher))
        if gap == "cross_entropy":
            found = own_teacher - own_student
        else:
            found = own_teacher.exp() - own_student.exp()
    if gap == "absolute":
        found = found.abs()
    # The maximum with 0; and nothing so small that the inverse of its sum would be infinite.
    return F.threshold(found, torch.finfo(found.dtype).tiny, 0.0)
