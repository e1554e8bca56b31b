"""Pixel-wise feature similarities: which pixels of an image are alike."""

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from kernels import attention_kl, pairwise_mse
from kernels.precision import accumulable
from train.losses.contract import Loss, Needs, Source, Views, label_at
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, matched
from train.losses.valid import over_images, over_pixels
from train.models.tap_shapes import TapShapes

_WEIGHT_OF_ATTENTION = 1.0


class PfsConfig(FeatureLossConfig):
    """Settings of `Pfs`: the abstract leaves both forms open, and the start values are ours."""

    source: ClassVar[Source] = Source(
        "Shan, Distilling pixel-wise feature similarities for semantic segmentation",
        "https://arxiv.org/abs/1910.14226",
        "reconstructed",
    )

    name: Literal["pfs"] = "pfs"
    weight: float = Field(default=10.0, ge=0, description="λ_pfs; where it is not given: 10 cosine, 1 attention")
    form: Literal["cosine", "attention"] = Field(
        default="cosine",
        description="cosine: mean squared difference of all similarities; attention: KL of their softmax, row by row",
    )
    temperature: float = Field(default=1.0, gt=0, description="τ_f of the attention form's softmax")

    @model_validator(mode="before")
    @classmethod
    def _weight_of_the_form(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("form") == "attention":
            return {"weight": _WEIGHT_OF_ATTENTION, **given}
        return given

    @property
    def needs(self) -> Needs:
        """The two taps."""
        return Needs(frozenset({self.student_tap}), frozenset({self.teacher_tap}))

    def build(self, shapes: TapShapes) -> "Pfs":  # noqa: ARG002
        """The loss."""
        return Pfs(self)


class Pfs(Loss):
    """Each pixel is what it is like: its cosines s_ij to the other valid pixels j of its image, in both networks.

    After Shan, https://arxiv.org/abs/1910.14226; reconstructed from its abstract. For maps ``(N, D, H, W)`` and
    ``(N, D', H, W)``, with no adapter between them:

        cosine      1/P² Σ_ij (s^S_ij - s^T_ij)²                                  of each image, mean over the images
        attention   1/P Σ_i KL(softmax_j(s^T_ij / τ_f) ‖ softmax_j(s^S_ij / τ_f))  over the valid pixels of the batch

    The attention form has no factor τ_f²: its softmax is over similarities, not over a network's output. Neither form
    makes a P×P matrix. The weighted imitation of the soft predictions, the paper's other half, is the loss ``wkd``.
    """

    def __init__(self, config: PfsConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config = self.config
        student, teacher = matched("pfs", views, config.student_tap, config.teacher_tap)
        check_label("pfs", student, views.label)
        label = None if views.label is None else label_at(views.label, student.shape[-2:])
        if config.form == "cosine":
            return {"pfs": over_images(pairwise_mse(student, teacher, label), (label, student))}
        student, teacher = (F.normalize(accumulable(features), dim=1) for features in (student, teacher))
        divergence = attention_kl(student, teacher, label, temperature=config.temperature)
        return {"pfs": over_pixels(divergence, label, student)}
