"""What every loss is: typed hyper-parameters, declared needs, named terms."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from train.models.taps import Taps


@dataclass(frozen=True)
class Needs:
    """What a loss must be given. The recipe computes nothing that no loss asked for."""

    teacher: bool = False
    labels: bool = False


@dataclass(frozen=True)
class FusedChannels:
    """Channels of the fused maps, for losses that put an adapter between them."""

    student: int
    teacher: int


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


class LossConfig(BaseModel):
    """Settings that every loss has. A subclass adds ``name`` and its hyper-parameters, and builds its `Loss`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(default=1.0, ge=0, description="factor on all terms of this loss")
    schedule: Schedule = Schedule()

    def build(self, channels: FusedChannels | None) -> "Loss":
        """The loss; ``channels`` is None where there is no teacher."""
        raise NotImplementedError


class Loss(nn.Module):
    """One loss: may own adapters (trained with the student, never exported)."""

    needs: Needs

    def forward(self, student: Taps, teacher: Taps | None, label: Tensor | None) -> dict[str, Tensor]:
        """Named scalar terms, each with its own λ already applied.

        ``label`` is ``(N, H, W)``, class ids, 255 = ignore, at the resolution of the images.
        """
        raise NotImplementedError


def label_at(label: Tensor, size: torch.Size) -> Tensor:
    """Labels ``(N, H, W)`` at the resolution of a map: the id at the centre of each of its cells."""
    if label.shape[-2:] == size:
        return label
    return nn.functional.interpolate(label[:, None].float(), size, mode="nearest-exact")[:, 0].to(label.dtype)
