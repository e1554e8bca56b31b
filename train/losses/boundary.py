"""Boundaries, found by a head of their own, at which the classes count once more."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from kernels import cross_entropy
from kernels.precision import accumulable
from kernels.valid import IGNORE_INDEX
from train import processes
from train.losses.contract import LOGITS, Loss, LossConfig, Needs, Source, Views
from train.losses.match import check_label, require_label
from train.losses.valid import mean_over, over_pixels
from train.models.residual import norm_conv
from train.models.tap_shapes import TapShapes
from train.models.taps import Tap


class BoundaryConfig(LossConfig):
    """Settings of `Boundary`."""

    source: ClassVar[Source] = Source("Xu et al., PIDNet, CVPR 2023", "https://arxiv.org/abs/2206.02066", "code")

    name: Literal["boundary"] = "boundary"
    student_tap: Tap = Field(
        default="stride:8", description="what the head reads; PIDNet's own is module:encoder.difference2"
    )
    width: int = Field(default=32, gt=0, description="channels inside the head")
    radius: int = Field(default=2, ge=1, description="r: how far a boundary reaches to both sides, in pixels")
    threshold: float = Field(default=0.8, ge=0, le=1, description="t: probability from which a boundary is one")
    edge_weight: float = Field(default=20.0, ge=0, description="λ of finding the boundaries")
    class_weight: float = Field(default=1.0, ge=0, description="λ of the classes at the boundaries found")

    @property
    def needs(self) -> Needs:
        """The tap and the logits of the student, and labels."""
        return Needs(LOGITS | {self.student_tap}, labels=True, adapter=True)

    def build(self, shapes: TapShapes) -> "Boundary":
        """The loss and its head."""
        return Boundary(self, shapes.student[self.student_tap].channels)


class Boundary(Loss):
    """A head finds where classes meet; there, the cross-entropy is taken again; z is ``(N, C, H, W)``.

    Xu et al., https://arxiv.org/abs/2206.02066, l₁ and l₃. With b the head's logits, upsampled to the labels, and
    e_i = 1 at pixels within r of which two classes lie, else 0:

        boundary.edge  = λ mean_i w_i BCE(σ(b_i), e_i),     w_i = share of the pixels whose e is not e_i
        boundary.class = λ mean of -log softmax_c(z_i)_y over the pixels with σ(b_i) > t

    Means are over the valid pixels of the batch. The authors' e is Canny's, four pixels wide, on the labels before they
    are scaled, and their l₃ takes the hardest pixels alone; ours takes all. The head is trained with the student and
    left behind with the loss, so that any student can learn from its boundaries.

    Args:
        config: the settings.
        channels: D of the map ``(N, D, h, w)`` that the head reads.
    """

    def __init__(self, config: BoundaryConfig, channels: int) -> None:
        super().__init__()
        self.config = config
        self.head = nn.Sequential(
            norm_conv(channels, config.width, 3), nn.BatchNorm2d(config.width), nn.ReLU(), nn.Conv2d(config.width, 1, 1)
        )

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config, student, label = self.config, views.student, require_label("boundary", views)
        check_label("boundary", student.logits, label)
        found = accumulable(self.head(student[config.student_tap]))
        found = F.interpolate(found, label.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
        at_boundary = label.masked_fill(found.detach().sigmoid() <= config.threshold, IGNORE_INDEX)
        classes = over_pixels(cross_entropy(student.logits, at_boundary), at_boundary, at_boundary[:, None])
        edge = _balanced(found, boundaries(label, config.radius), label != IGNORE_INDEX)
        return {"boundary.edge": config.edge_weight * edge, "boundary.class": config.class_weight * classes}


def _balanced(found: Tensor, wanted: Tensor, valid: Tensor) -> Tensor:
    """Binary cross-entropy in which both kinds of pixels weigh the same in all; every argument is ``(N, H, W)``."""
    counts = processes.total(torch.stack([wanted.sum(), valid.sum()])).to(found)
    share = counts[0] / counts[1].clamp(min=1)
    entropy = F.binary_cross_entropy_with_logits(found, wanted.to(found), reduction="none")
    return mean_over(valid, torch.where(wanted, 1 - share, share) * entropy)


def boundaries(label: Tensor, radius: int) -> Tensor:
    """Where the square of 2 ``radius`` + 1 pixels around a valid pixel holds two classes: bool ``(N, H, W)``.

    Args:
        label: ``(N, H, W)``, class ids, 255 = ignore: no boundary there and none made by it.
        radius: in pixels of the label.
    """
    valid = label != IGNORE_INDEX
    ids = label.float()
    highest = _highest(ids.masked_fill(~valid, -torch.inf), radius)
    lowest = -_highest((-ids).masked_fill(~valid, -torch.inf), radius)
    return (highest > lowest) & valid


def _highest(ids: Tensor, radius: int) -> Tensor:
    # A square is a row after a column: 2 (2r + 1) comparisons a pixel.
    rows = F.max_pool2d(ids[:, None], (2 * radius + 1, 1), 1, (radius, 0))
    return F.max_pool2d(rows, (1, 2 * radius + 1), 1, (0, radius))[:, 0]
