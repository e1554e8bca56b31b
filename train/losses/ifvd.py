"""Intra-class feature variation distillation."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from kernels import class_means
from train.losses.contract import Loss, Needs, Source, Views, label_at
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, matched, require_label
from train.losses.valid import mean_over, valid_at
from train.models.tap_shapes import TapShapes


class IfvdConfig(FeatureLossConfig):
    """Settings of `Ifvd`."""

    source: ClassVar[Source] = Source(
        "Wang et al., Intra-class feature variation distillation, ECCV 2020",
        "https://www.ecva.net/papers/eccv_2020/papers_ECCV/html/230_ECCV_2020_paper.php",
        "paper",
    )

    name: Literal["ifvd"] = "ifvd"
    weight: float = Field(default=20.0, ge=0, description="λ")

    @property
    def needs(self) -> Needs:
        """The two taps, and labels."""
        return Needs(frozenset({self.student_tap}), frozenset({self.teacher_tap}), labels=True)

    def build(self, shapes: TapShapes) -> "Ifvd":
        """The loss."""
        return Ifvd(self, shapes.classes)


class Ifvd(Loss):
    """Mean over the valid pixels of (v^S_i - v^T_i)², v_i = cos(F_i, mean of F over the pixels of class y_i).

    Wang et al., ECCV 2020, code at https://github.com/YukangWang/IFVD. The mean is that of one image; the gradient
    flows through it too. Maps are ``(N, D, H, W)``, channel counts may differ, there is no adapter. Public code lets
    ignored pixels be their own mean, so that they count with a difference of 0; here they do not count.
    """

    def __init__(self, config: IfvdConfig, classes: int) -> None:
        super().__init__()
        self.config = config
        self.classes = classes

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        label = require_label("ifvd", views)
        student, teacher = matched("ifvd", views, self.config.student_tap, self.config.teacher_tap)
        check_label("ifvd", student, label)
        ids = label_at(label, student.shape[-2:])
        of_student, of_teacher = (class_means(m, ids, self.classes).cosine for m in (student, teacher.detach()))
        return {"ifvd": mean_over(valid_at(ids, student), (of_student - of_teacher).square())}
