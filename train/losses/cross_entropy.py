"""Cross-entropy against the labels."""

from typing import Literal

from pydantic import Field
from torch import Tensor

from kernels import cross_entropy
from train.losses.contract import FusedChannels, Loss, LossConfig, Needs
from train.losses.match import check_label, require_label
from train.models.taps import Taps


class CrossEntropyConfig(LossConfig):
    """Settings of `CrossEntropy`."""

    name: Literal["cross_entropy"] = "cross_entropy"
    aux_weight: float = Field(
        default=0.4,
        ge=0,
        description="factor on the auxiliary head's term, where there is one (PSPNet, arXiv 1612.01105)",
    )

    def build(self, channels: FusedChannels | None) -> "CrossEntropy":  # noqa: ARG002
        """The loss."""
        return CrossEntropy(self)


class CrossEntropy(Loss):
    """Mean cross-entropy over the valid pixels, the student's logits upsampled to the labels' resolution.

    Terms: ``cross_entropy``, and ``cross_entropy.aux`` where the student has an auxiliary head.
    """

    needs = Needs(labels=True)

    def __init__(self, config: CrossEntropyConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, student: Taps, teacher: Taps | None, label: Tensor | None) -> dict[str, Tensor]:  # noqa: ARG002
        """See `Loss`."""
        label = require_label("cross_entropy", label)
        check_label("cross_entropy", student.logits, label)
        terms = {"cross_entropy": cross_entropy(student.logits, label)}
        if student.aux is not None:
            terms["cross_entropy.aux"] = self.config.aux_weight * cross_entropy(student.aux, label)
        return terms
