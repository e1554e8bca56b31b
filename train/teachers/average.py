"""Several teachers whose judgements are averaged."""

from collections.abc import Sequence
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from train.models.network import SegmentationNetwork
from train.teachers.contract import LoadedTeacher, TeacherSettings
from train.teachers.member import Member
from train.teachers.several import Several, load_members

Of = Literal["probabilities", "logits"]


class AverageTeacher(TeacherSettings):
    """The weighted mean of probabilities, or of logits, of several teachers, each with a class map of its own."""

    kind: Literal["average"] = Field(description="several teachers, averaged")
    members: list[Member] = Field(min_length=2, description="kind average: the teachers")
    member_weights: list[float] = Field(default=[], description="kind average: of each of them; default: all the same")
    of: Of = Field(default="probabilities", description="kind average: what is averaged")

    @model_validator(mode="after")
    def _check_weights(self) -> "AverageTeacher":
        if self.member_weights and (len(self.member_weights) != len(self.members) or min(self.member_weights) <= 0):
            raise ValueError(f"{len(self.members)} members need as many weights, all above 0")
        return self

    @property
    def title(self) -> str:
        """See `TeacherSettings`."""
        return f"the average of {len(self.members)} teachers"

    def load(self, classes: list[str]) -> LoadedTeacher:
        """See `TeacherSettings`. What one member does not know the others may."""
        members = load_members(self.members, classes)
        network = Average([one.network for one in members], self.member_weights or [1.0] * len(members), self.of)
        unknown = frozenset.intersection(*(one.unknown for one in members))
        return LoadedTeacher(network, classes, unknown, tuple(note for one in members for note in one.notes))


class Average(Several):
    """The mean of logits, or the logarithm of the mean of probabilities.

    Args:
        members: see `Several`.
        weights: positive; divided by their sum.
        of: what is averaged.
    """

    def __init__(self, members: Sequence[SegmentationNetwork], weights: Sequence[float], of: Of) -> None:
        super().__init__(members)
        self.register_buffer("weights", torch.tensor(weights) / sum(weights))
        self._of = of

    def combined(self, logits: list[Tensor]) -> Tensor:
        """See `Several`."""
        weights: Tensor = self.get_buffer("weights")
        parts = torch.stack(logits if self._of == "logits" else [one.log_softmax(dim=1) for one in logits])
        if self._of == "logits":
            return torch.einsum("m,m...->...", weights, parts)
        return (parts + weights.log().view(-1, 1, 1, 1, 1)).logsumexp(dim=0)
