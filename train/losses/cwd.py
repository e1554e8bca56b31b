"""Channel-wise distillation: where in the image each channel is active."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor

from kernels import channel_kl
from train.losses.adapter import Adapter, adapter_between
from train.losses.contract import LOGITS, Loss, Needs, Source, Views, label_at
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, check_logits, matched, require_teacher, resize_to
from train.losses.valid import over_images
from train.models.tap_shapes import TapShapes

_WEIGHT_ON_FEATURES = 50.0


class CwdConfig(FeatureLossConfig):
    """Settings of `Cwd`."""

    source: ClassVar[Source] = Source(
        "Shu et al., Channel-wise knowledge distillation for dense prediction",
        "https://arxiv.org/abs/2011.13256",
        "paper",
    )

    name: Literal["cwd"] = "cwd"
    weight: float = Field(default=3.0, ge=0, description="λ; where it is not given: 3 on logits, 50 on features")
    on: Literal["logits", "features"] = Field(
        default="logits",
        description="what is compared; features: the maps at the taps, the student's through an adapter",
    )
    temperature: float = Field(default=4.0, gt=0, description="τ of the softmaxes over space; the term has a factor τ²")

    @model_validator(mode="before")
    @classmethod
    def _weight_of_what_is_compared(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("on") == "features":
            return {"weight": _WEIGHT_ON_FEATURES, **given}
        return given

    @property
    def needs(self) -> Needs:
        """Logits of both, or the two taps."""
        if self.on == "logits":
            return Needs(teacher=LOGITS)
        return Needs(frozenset({self.student_tap}), frozenset({self.teacher_tap}), adapter=True)

    def build(self, shapes: TapShapes) -> "Cwd":
        """The loss; with an adapter on features."""
        on_features = self.on == "features"
        return Cwd(self, adapter_between(shapes, self.student_tap, self.teacher_tap) if on_features else None)


class Cwd(Loss):
    """τ²/C Σ_c KL(softmax_i(z^T_ci / τ) ‖ softmax_i(z^S_ci / τ)), i over the valid pixels; mean over the images.

    Shu et al., https://arxiv.org/abs/2011.13256, on logits ``(N, C, H, W)`` or features ``(N, D, H, W)``. Both λ are
    the published ones, for just this reduction. Public code differs in what it divides by: N·C as here, or C alone.
    """

    def __init__(self, config: CwdConfig, adapter: Adapter | None = None) -> None:
        super().__init__()
        self.config = config
        self.adapter = adapter

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config, label = self.config, views.label
        if self.adapter is None:
            student, teacher = views.student.logits, require_teacher("cwd", views).logits
            check_logits("cwd", student, teacher)
            teacher = resize_to(teacher, student)
        else:
            student, teacher = matched("cwd", views, config.student_tap, config.teacher_tap)
            student = self.adapter(student)
        check_label("cwd", student, label)
        return {"cwd": channel_wise(student, teacher, label, config.temperature)}


def channel_wise(student: Tensor, teacher: Tensor, label: Tensor | None, temperature: float) -> Tensor:
    """`channel_kl` with labels of any resolution: maps ``(N, D, H, W)`` of the same shape, labels ``(N, ·, ·)``."""
    label = None if label is None else label_at(label, student.shape[-2:])
    return over_images(channel_kl(student, teacher, label, temperature=temperature), (label, student))
