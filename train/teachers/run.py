"""A teacher that is a run of `train.teacher` or `train.distill`."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from train.teachers.contract import LoadedTeacher, TeacherSettings


class RunTeacher(TeacherSettings):
    """The network that a finished run left behind."""

    kind: Literal["run"] = Field(
        default="run",
        description="run, named, hugging_face, torchvision, onnx, average or class_groups: each has options of its own",
    )
    run: str = Field(description="kind run: run directory of the teacher")
    checkpoint: Literal["best", "last"] = Field(default="best", description="kind run: which of its checkpoints")

    @property
    def title(self) -> str:
        """See `TeacherSettings`."""
        return self.run

    def load(self, classes: list[str]) -> LoadedTeacher:  # noqa: ARG002  # the run says its own
        """See `TeacherSettings`."""
        from train.checkpoint import load_run  # which reads configs, and so this module

        trained = load_run(Path(self.run), self.checkpoint)
        return LoadedTeacher(trained.network, self.classes or trained.config.data.classes)
