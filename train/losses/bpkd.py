"""Boundary-privileged knowledge distillation: edges apart from bodies."""

from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from kernels import channel_kl, pixel_kl
from kernels.precision import accumulable
from kernels.valid import IGNORE_INDEX
from train import processes
from train.losses.contract import LOGITS, Loss, LossConfig, Needs, Source, Views, label_at
from train.losses.match import check_label, check_logits, require_label, require_teacher, resize_to
from train.losses.valid import over_images
from train.models.tap_shapes import TapShapes


class BpkdConfig(LossConfig):
    """Settings of `Bpkd`."""

    source: ClassVar[Source] = Source(
        "Liu et al., BPKD: boundary privileged knowledge distillation", "https://arxiv.org/abs/2306.08075", "paper"
    )

    name: Literal["bpkd"] = "bpkd"
    temperature: float = Field(default=1.0, gt=0, description="τ of all softmaxes; the terms are multiplied by τ²")
    radius: int = Field(
        default=3, ge=1, description="r: how far an edge reaches to both sides, in pixels of the logits"
    )
    body_weight: float = Field(default=20.0, ge=0, description="λ of the bodies")
    edge_weight: float = Field(default=50.0, ge=0, description="λ of the edges")

    @property
    def needs(self) -> Needs:
        """Logits of both, and labels."""
        return Needs(teacher=LOGITS, labels=True)

    def build(self, shapes: TapShapes) -> "Bpkd":  # noqa: ARG002
        """The loss."""
        return Bpkd(self)


class Bpkd(Loss):
    """Channel-wise distillation inside of regions, pixel-wise distillation along their edges; z is ``(N, C, H, W)``.

    Liu et al., https://arxiv.org/abs/2306.08075. With M_ci = 1 where pixel i is within r of the border of class c:

        bpkd.body = λ τ²/C Σ_c KL( softmax_i(z^T_ci (1 - M_ci) / τ) ‖ softmax_i(z^S_ci (1 - M_ci) / τ) ), mean of images
        bpkd.edge = λ τ² mean_c [ Σ_i M_ci KL(p^T_i ‖ p^S_i) / Σ_i M_ci ]     over the classes that have an edge

    An edge is a pixel of the map: i runs over the valid pixels, of an image for bodies and of the batch for edges.
    Neither an ignored pixel nor the rim of the image makes an edge.
    """

    def __init__(self, config: BpkdConfig) -> None:
        super().__init__()
        self.config = config

    def forward(self, views: Views) -> dict[str, Tensor]:
        """See `Loss`."""
        config, label = self.config, require_label("bpkd", views)
        student, teacher = views.student.logits, require_teacher("bpkd", views).logits
        check_logits("bpkd", student, teacher)
        check_label("bpkd", student, label)
        ids = label_at(label, student.shape[-2:])
        student, teacher = accumulable(student), accumulable(resize_to(teacher.detach(), student))
        on_edge = edges(ids, student.shape[1], config.radius)
        s_body, t_body = (z.masked_fill(on_edge, 0) for z in (student, teacher))
        # Each class has a weight of 1 in all, so that mean_over: weight is the mean over the classes with an edge.
        of_class = processes.total(on_edge.sum((0, 2, 3), keepdim=True)).clamp(min=1)
        weight = (on_edge.to(student) / of_class).sum(1)
        edge = pixel_kl(student, teacher, ids, temperature=config.temperature, weight=weight, mean_over="weight")
        edge = processes.part_of_mean(edge, weight.sum())
        body = over_images(channel_kl(s_body, t_body, ids, temperature=config.temperature), (ids, student))
        return {"bpkd.body": config.body_weight * body, "bpkd.edge": config.edge_weight * edge}


def edges(label: Tensor, classes: int, radius: int) -> Tensor:
    """Dilation less erosion of each class by a square of 2 ``radius`` + 1: bool ``(N, C, H, W)``.

    Args:
        label: ``(N, H, W)``, class ids, 255 = ignore: no edge there and none made by it.
        classes: C.
        radius: in pixels of the label.
    """
    valid = (label != IGNORE_INDEX)[:, None]
    own = label[:, None] == torch.arange(classes, device=label.device)[:, None, None]
    return _dilated(own, radius) & _dilated(valid & ~own, radius) & valid


def _dilated(mask: Tensor, radius: int) -> Tensor:
    # A square is a row after a column: 2 (2r + 1) comparisons a pixel.
    rows = F.max_pool2d(mask.float(), (2 * radius + 1, 1), 1, (radius, 0))
    return F.max_pool2d(rows, (1, 2 * radius + 1), 1, (0, radius)) > 0
