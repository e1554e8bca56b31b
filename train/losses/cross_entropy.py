"""Cross-entropy against the labels."""

from typing import ClassVar, Literal

from pydantic import Field
from torch import Tensor

from kernels import cross_entropy
from train.losses.contract import Loss, LossConfig, Needs, Source, Views
from train.losses.match import check_label, require_label
from train.losses.valid import over_pixels
from train.models.tap_shapes import TapShapes


class CrossEntropyConfig(LossConfig):
    """Settings of `CrossEntropy`."""

    source: ClassVar[Source] = Source(
        "Long et al., Fully convolutional networks",
        "https://arxiv.org/abs/1411.4038",
        "paper",
    )

    name: Literal["cross_entropy"] = "cross_entropy"
    aux_weight: float = Field(
        default=0.4,
        ge=0,
        description="factor on the auxiliary head's term, where there is one (PSPNet, arXiv 1612.01105)",
    )

    @property
    def needs(self) -> Needs:
        """Logits of the student, and labels."""
        return Needs(labels=True)

    def build(self, shapes: TapShapes) -> "CrossEntropy":  # noqa: ARG002
        """The loss."""
        return CrossEntropy(self)


class CrossEntropy(Loss):
    """Mean cross-entropy over the valid pixels, the student's logits upsampled to the labels' resolution.

    Terms: ``cross_entropy``, and ``cross_entropy.aux`` where the student has an auxiliary head.
    """

    def __init__(self, config: CrossEntropyConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        student, label = views.student, require_label("cross_entropy", views)
        check_label("cross_entropy", student.logits, label)
        terms = {"cross_entropy": over_pixels(cross_entropy(student.logits, label), label, label[:, None])}
        if student.aux is not None:
            auxiliary = over_pixels(cross_entropy(student.aux, label), label, label[:, None])
            terms["cross_entropy.aux"] = self.config.aux_weight * auxiliary
        return terms
