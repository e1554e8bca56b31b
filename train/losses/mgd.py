"""Masked generative distillation: from a part of its features, the student is to make all of its teacher's."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from kernels.precision import accumulable
from train import processes
from train.losses.adapter import Adapter, adapter_between
from train.losses.contract import Loss, Needs, Source, Views
from train.losses.draws import Draws
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, matched
from train.losses.valid import mean_over, valid_at
from train.models.tap_shapes import TapShapes

# The published 2e-5 multiplies a sum over the pixels; those of its 512×512 crops at stride 8 are these.
_PUBLISHED_PIXELS = 64 * 64


class MgdConfig(FeatureLossConfig):
    """Settings of `Mgd`."""

    source: ClassVar[Source] = Source(
        "Yang et al., Masked generative distillation", "https://arxiv.org/abs/2205.01529", "paper"
    )

    name: Literal["mgd"] = "mgd"
    weight: float = Field(
        default=2e-5 * _PUBLISHED_PIXELS, ge=0, description="λ; the published 2e-5 of a sum over 64×64 pixels"
    )
    mask_ratio: float = Field(
        default=0.75, ge=0, lt=1, description="share of the pixels that the student has to do without"
    )
    seed: int = Field(default=0, ge=0, description="seed of the masks")

    @property
    def needs(self) -> Needs:
        """The two taps."""
        return Needs(frozenset({self.student_tap}), frozenset({self.teacher_tap}), adapter=True)

    def build(self, shapes: TapShapes) -> "Mgd":
        """The loss, its adapter and its generator of features."""
        adapter = adapter_between(shapes, self.student_tap, self.teacher_tap)
        return Mgd(self, adapter, shapes.teacher[self.teacher_tap].channels)


class Mgd(Loss):
    """Mean over the valid pixels of ‖G(M ⊙ adapter(F^S))_i - F^T_i‖², G = conv3×3, ReLU, conv3×3.

    Yang et al., https://arxiv.org/abs/2205.01529, for maps ``(N, D, H, W)``; M is 0 at a random ``mask_ratio`` of an
    image's pixels, others in each step, and 1 at the rest. It is 0 at ignored pixels too, as the convolutions would
    bring them in. The paper sums over the pixels of an image, so that its λ depends on the size of the crop; the mean
    over 64×64 pixels with the default weight is the published term.

    Args:
        config: the settings.
        adapter: from the student's channels to the teacher's.
        channels: D, of the teacher.
    """

    def __init__(self, config: MgdConfig, adapter: Adapter, channels: int) -> None:
        super().__init__()
        self.config = config
        self.adapter = adapter
        self.generation = nn.Sequential(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, kernel_size=3, padding=1),
        )
        self.draws = Draws(config.seed)

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        student, teacher = matched("mgd", views, self.config.student_tap, self.config.teacher_tap)
        check_label("mgd", student, views.label)
        valid = valid_at(views.label, student)
        seen = valid & self._unmasked(valid.shape).to(valid.device)
        generated = self.generation(torch.where(seen[:, None], self.adapter(student), 0))
        difference = accumulable(generated) - accumulable(teacher.detach())
        return {"mgd": mean_over(valid, difference.square().sum(1))}

    def _unmasked(self, size: torch.Size) -> Tensor:
        whole = size[0] * processes.count(), *size[1:]
        return processes.own_images(torch.rand(whole, generator=self.draws.generator())) >= self.config.mask_ratio
