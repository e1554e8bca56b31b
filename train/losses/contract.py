"""What every loss is: typed hyper-parameters, declared needs, named terms."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar, Literal, NamedTuple

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from kernels.valid import IGNORE_INDEX
from train.models.tap_shapes import TapShapes
from train.models.taps import Tap, Taps

NOTHING: frozenset[Tap] = frozenset()
LOGITS: frozenset[Tap] = frozenset({"logits"})


@dataclass(frozen=True)
class Needs:
    """What a loss must be given. The recipe computes nothing that no loss asked for."""

    student: frozenset[Tap] = LOGITS
    teacher: frozenset[Tap] = NOTHING
    """Taps of the teacher; none: the loss needs no teacher."""
    labels: bool = False
    neighbour_student: frozenset[Tap] = NOTHING
    """Taps of the student on a second frame."""
    neighbour_teacher: frozenset[Tap] = NOTHING
    flow: bool = False
    """How pixels move between the frames; both images come with it."""
    adapter: bool = False
    """For the record: owns layers that are trained with the student and never exported."""
    memory_bank: bool = False
    """For the record: remembers features of earlier batches; they are saved in checkpoints."""

    @property
    def neighbour(self) -> bool:
        """Whether a second frame is needed at all."""
        return bool(self.neighbour_student or self.neighbour_teacher or self.flow)

    def __or__(self, other: "Needs") -> "Needs":
        """What two losses need together."""
        return Needs(**{field.name: getattr(self, field.name) | getattr(other, field.name) for field in fields(self)})


@dataclass(frozen=True)
class Neighbour:
    """The second frame: what the networks show of it, and where the pixels of the first have gone."""

    student: Taps
    teacher: Taps | None = None
    image: Tensor | None = None
    """``(N, 3, H, W)``, in units of the student's mean and standard deviation."""
    flow: Tensor | None = None
    """``(N, 2, H, W)``, pixels (x, y): the point at x of the first frame is at x + flow(x) in the second."""
    visible: Tensor | None = None
    """``(N, H, W)`` bool: the flow is known there and the point is inside the second frame."""
    valid: Tensor | None = None
    """``(N, H, W)`` bool: what is no padding; None: all of it."""


@dataclass(frozen=True)
class Views:
    """What a loss is given of a batch; what no loss needs is None."""

    student: Taps
    teacher: Taps | None = None
    label: Tensor | None = None
    """``(N, H, W)``, class ids, 255 = ignore, at the resolution of the images; None: nothing is labelled. A loss that
    needs no labels looks for nothing but 255 here, which for it an image without a label has at its padding alone."""
    image: Tensor | None = None
    """``(N, 3, H, W)``, in units of the student's mean and standard deviation; comes with the flow."""
    neighbour: Neighbour | None = None
    valid: Tensor | None = None
    """``(N, H, W)`` bool: what counts in losses that need no labels; None: what is not 255 in the label."""
    labelled: Tensor | None = None
    """``(N,)`` bool: which images have a label; None: all."""


class Schedule(BaseModel):
    """How a loss's weight moves over the training, as a factor in 0..1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["constant", "warmup", "cosine_decay"] = Field(default="constant", description="shape of the factor")
    steps: int = Field(
        default=0, ge=0, description="warmup: steps from 0 to 1; cosine_decay: steps from 1 to 0 (0: all)"
    )

    def factor(self, step: int, total_steps: int) -> float:
        """The factor at ``step`` (counted from 0) of ``total_steps``."""
        progress = min(1.0, step / max(1, self.steps or total_steps))
        if self.kind == "warmup":
            return progress
        if self.kind == "cosine_decay":
            return 0.5 * (1.0 + math.cos(math.pi * progress))
        return 1.0


class Source(NamedTuple):
    """Where a loss is known from."""

    title: str
    url: str
    trust: Literal["paper", "code", "reconstructed"]
    """paper: its text gives the formula; code: read in the authors' code; reconstructed: from the abstract alone."""


class LossConfig(BaseModel):
    """Settings that every loss has. A subclass adds ``name`` and its hyper-parameters, and builds its `Loss`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: ClassVar[Source]

    weight: float = Field(default=1.0, ge=0, description="factor on all terms of this loss")
    schedule: Schedule = Schedule()
    frames: Literal["key", "both"] = Field(
        default="key",
        description="both: also on the neighbour frame, which has no label, and the mean of the two is taken",
    )
    images: Literal["all", "labelled", "unlabelled"] = Field(
        default="all", description="of a batch, that count; those without a label never do where it needs labels"
    )

    @property
    def needs(self) -> Needs:
        """What the loss must be given under these settings."""
        raise NotImplementedError

    @property
    def least_images(self) -> int:
        """Of a batch, under these settings; more than 1 where images are the samples of an estimator."""
        return 1

    def build(self, shapes: TapShapes) -> "Loss":
        """The loss, its adapters made for the maps of these ``shapes``."""
        raise NotImplementedError


class Loss(nn.Module):
    """One loss: may own adapters (trained with the student, never exported)."""

    def forward(self, views: Views) -> dict[str, Tensor]:
        """Named scalar terms, each with its own λ already applied."""
        raise NotImplementedError


def label_of(valid: Tensor | None) -> Tensor | None:
    """A label ``(N, H, W)`` that says no more than what counts, for losses that need none; None: everything does."""
    return None if valid is None else torch.where(valid, 0, IGNORE_INDEX).to(torch.uint8)


def label_at(label: Tensor, size: torch.Size) -> Tensor:
    """Labels ``(N, H, W)`` at the resolution of a map: the id at the centre of each of its cells."""
    if label.shape[-2:] == size:
        return label
    return nn.functional.interpolate(label[:, None].float(), size, mode="nearest-exact")[:, 0].to(label.dtype)
