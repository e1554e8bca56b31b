"""Several teachers, each of which speaks for some of the classes."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.teachers.class_map import with_unknown
from train.teachers.contract import LoadedTeacher, TeacherSettings
from train.teachers.member import Member
from train.teachers.several import Several, load_members


class ClassGroup(BaseModel):
    """A teacher and what it is asked about."""

    model_config = ConfigDict(extra="forbid")

    speaks_for: list[str] = Field(min_length=1, description="classes of the data")
    teacher: Member = Field(description="who; it should know the other classes too, or something that stands for them")


class ClassGroupsTeacher(TeacherSettings):
    """A teacher for each group of classes. Its probability of a class is taken as it is, and all are made to add up."""

    kind: Literal["class_groups"] = Field(description="several teachers, each for some of the classes")
    groups: list[ClassGroup] = Field(min_length=2, description="kind class_groups: teachers and their classes")

    @model_validator(mode="after")
    def _check_each_class_once(self) -> "ClassGroupsTeacher":
        counts = Counter(name for group in self.groups for name in group.speaks_for)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            raise ValueError(f"several teachers speak for {', '.join(twice)}: leave each class to one")
        return self

    @property
    def title(self) -> str:
        """See `TeacherSettings`."""
        return f"{len(self.groups)} teachers, one a group of classes"

    def load(self, classes: list[str]) -> LoadedTeacher:
        """See `TeacherSettings`."""
        strange = [name for group in self.groups for name in group.speaks_for if name not in classes]
        if strange:
            raise UserError(f"teacher.groups: speaks_for: the data has no class '{strange[0]}': {', '.join(classes)}")
        members = load_members([group.teacher for group in self.groups], classes)
        speaker = [-1] * len(classes)
        for number, (group, member) in enumerate(zip(self.groups, members, strict=True)):
            for index in {classes.index(name) for name in group.speaks_for} - member.unknown:
                speaker[index] = number
        unknown = frozenset(index for index, number in enumerate(speaker) if number < 0)
        notes = [note for one in members for note in one.notes]
        if unknown:
            notes.append(f"teacher: nobody speaks for {', '.join(classes[index] for index in sorted(unknown))}")
        return LoadedTeacher(ClassGroups([one.network for one in members], speaker), classes, unknown, tuple(notes))


class ClassGroups(Several):
    """Of each class the log-probability that its teacher gives; softmax makes them add up.

    Args:
        members: see `Several`.
        speaker: of each class the number of its teacher; -1: nobody, which puts it well below the others.
    """

    def __init__(self, members: Sequence[SegmentationNetwork], speaker: Sequence[int]) -> None:
        super().__init__(members)
        self._speaker = list(speaker)

    def combined(self, logits: list[Tensor]) -> Tensor:
        """See `Several`."""
        judged = [one.log_softmax(dim=1) for one in logits]
        return with_unknown(
            [judged[number][:, index] if number >= 0 else None for index, number in enumerate(self._speaker)]
        )
