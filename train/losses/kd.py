"""Knowledge distillation, a pixel at a time."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from kernels import pixel_kl
from train.losses.contract import LOGITS, Loss, LossConfig, Needs, Source, Views, label_at
from train.losses.match import Resolution, check_label, check_logits, require_label, require_teacher, resize_to
from train.losses.valid import over_pixels
from train.models.tap_shapes import TapShapes


class KdConfig(LossConfig):
    """Settings of `Kd`."""

    source: ClassVar[Source] = Source(
        "Hinton et al., Distilling the knowledge in a neural network", "https://arxiv.org/abs/1503.02531", "paper"
    )

    name: Literal["kd"] = "kd"
    temperature: float = Field(default=1.0, gt=0, description="τ: softens both softmaxes; the term is multiplied by τ²")
    resolution: Resolution = Field(
        default="logits",
        description="logits: compare at the student's own stride; label: upsample both to the labels' size",
    )

    @property
    def needs(self) -> Needs:
        """Logits of both; labels at their resolution."""
        return Needs(teacher=LOGITS, labels=self.resolution == "label")

    def build(self, shapes: TapShapes) -> "Kd":  # noqa: ARG002
        """The loss."""
        return Kd(self)


class Kd(Loss):
    """τ² · mean over the valid pixels of KL(teacher ‖ student), both softmaxes at temperature τ.

    Hinton et al., https://arxiv.org/abs/1503.02531, per pixel. Published segmentation code divides the same sum by
    N·H·W·C, by H·W, or by nothing: its λ is another one than this ``weight``.
    """

    def __init__(self, config: KdConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        student_logits, teacher_logits, label = views.student.logits, require_teacher("kd", views).logits, views.label
        check_logits("kd", student_logits, teacher_logits)
        check_label("kd", student_logits, label)
        size: tuple[int, int] | None = None
        if self.config.resolution == "label":
            height, width = require_label("kd at resolution: label", views).shape[-2:]
            size = (height, width)
        else:
            teacher_logits = resize_to(teacher_logits, student_logits)
            label = None if label is None else label_at(label, student_logits.shape[-2:])
        divergence = pixel_kl(student_logits, teacher_logits, label, temperature=self.config.temperature, size=size)
        return {"kd": over_pixels(divergence, label, student_logits if label is None else label[:, None])}
