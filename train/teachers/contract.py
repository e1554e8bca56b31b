"""What every kind of teacher is: settings that load a network and say what its classes are."""

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from train.models.network import SegmentationNetwork
from train.teachers.cache_settings import CacheSettings


class LoadedTeacher(NamedTuple):
    """A network as its source has it."""

    network: SegmentationNetwork
    """In eval mode, with the source's own classes."""
    classes: list[str]
    """Their names in the order of ids; none: the source does not say, and the data's are meant."""
    unknown: frozenset[int] = frozenset()
    """Ids of the data that it knows nothing of; for those that consist of teachers of their own."""
    notes: tuple[str, ...] = ()
    """What the user should know before the first step, a line each."""


class TeacherSettings(BaseModel):
    """Settings that every kind of teacher has. A subclass adds ``kind`` and what it is loaded from."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    precision: Literal["run", "fp32", "bf16", "fp16"] = Field(
        default="run", description="arithmetic of its forward pass; run: the same as the student's"
    )
    scales: list[Annotated[float, Field(gt=0)]] = Field(
        default=[], description="further sizes that it sees an image at, relative; its probabilities are averaged"
    )
    flip: bool = Field(default=False, description="it also sees each image mirrored; its probabilities are averaged")
    classes: list[str] = Field(
        default=[], description="its class names in the order of ids; default: what it says, else the data's"
    )
    class_map: dict[str, str | None] = Field(
        default={},
        description="its class -> the data's, null: none; classes that are not named keep their name. "
        "`python -m train.teachers CONFIG` proposes one",
    )
    cache: CacheSettings | None = Field(
        default=None, description="keep what it says on disk, for fixed crops; default: ask it each time"
    )

    @property
    def title(self) -> str:
        """What messages call it."""
        raise NotImplementedError

    def load(self, classes: list[str]) -> LoadedTeacher:
        """The network.

        Args:
            classes: of the data.

        Raises:
            UserError: it cannot be had, or is something else.
        """
        raise NotImplementedError
