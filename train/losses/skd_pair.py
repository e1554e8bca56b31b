"""Structured knowledge distillation: which regions of an image are alike."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from kernels import pairwise_mse
from kernels.precision import accumulable
from kernels.valid import IGNORE_INDEX
from train.losses.contract import Loss, Needs, Source, Views
from train.losses.features import FeatureLossConfig
from train.losses.match import check_label, matched
from train.losses.valid import over_images, valid_at
from train.models.tap_shapes import TapShapes


class SkdPairConfig(FeatureLossConfig):
    """Settings of `SkdPair`."""

    source: ClassVar[Source] = Source(
        "Liu et al., Structured knowledge distillation for semantic segmentation",
        "https://arxiv.org/abs/1903.04197",
        "paper",
    )

    name: Literal["skd_pair"] = "skd_pair"
    weight: float = Field(default=10.0, ge=0, description="λ")
    pool: int = Field(default=2, ge=1, description="side of the max-pooling before, in pixels of the map; 1 = none")

    @property
    def needs(self) -> Needs:
        """The two taps."""
        return Needs(frozenset({self.student_tap}), frozenset({self.teacher_tap}))

    def build(self, shapes: TapShapes) -> "SkdPair":  # noqa: ARG002
        """The loss."""
        return SkdPair(self)


class SkdPair(Loss):
    """1/P² Σ_ij (cos(x^S_i, x^S_j) - cos(x^T_i, x^T_j))² over the P cells of an image, mean over the images.

    The pair-wise term of Liu et al., https://arxiv.org/abs/1903.04197: a cell is the maximum, channel by channel, over
    ``pool`` × ``pool`` valid pixels of the map ``(N, D, H, W)``; a cell without a valid pixel does not count. Channel
    counts may differ, there is no adapter. The authors' code pools down to cells of half the map's size, nearly
    global; 2×2, and the λ for it, is that of later comparisons.
    """

    def __init__(self, config: SkdPairConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        student, teacher = matched("skd_pair", views, self.config.student_tap, self.config.teacher_tap)
        check_label("skd_pair", student, views.label)
        valid = valid_at(views.label, student)
        cells = _pooled(valid[:, None].to(student.dtype), self.config.pool) > 0
        label = torch.where(cells[:, 0], 0, IGNORE_INDEX)
        student, teacher = (self._cells(features, valid, cells) for features in (student, teacher.detach()))
        return {"skd_pair": over_images(pairwise_mse(student, teacher, label), (label, student))}

    def _cells(self, features: Tensor, valid: Tensor, cells: Tensor) -> Tensor:
        excluded = accumulable(features).masked_fill(~valid[:, None], -torch.inf)
        return torch.where(cells, _pooled(excluded, self.config.pool), 0)


def _pooled(features: Tensor, side: int) -> Tensor:
    return F.max_pool2d(features, side, side, ceil_mode=True)
