"""A teacher that is an ONNX file, run by ONNX Runtime."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from train.errors import UserError
from train.models.taps import Tap
from train.teachers.contract import LoadedTeacher, TeacherSettings
from train.teachers.normalisation import NONE, NormalisationSettings
from train.teachers.onnx_graph import find_graph, with_outputs
from train.teachers.onnx_input import Layout, read_input
from train.teachers.onnx_network import OnnxNetwork, Provider, open_session

_MULTIPLE = 32


class OnnxTeacher(TeacherSettings):
    """A graph from images to logits, or to class ids: then the logits before them teach. Or a bundle of ours."""

    kind: Literal["onnx"] = Field(description="an ONNX file, or a bundle")
    path: Path = Field(description="kind onnx: the file, or the folder of a bundle")
    logits: str | None = Field(
        default=None, description="kind onnx: tensor of its logits; default: what its first output decides on"
    )
    taps: dict[Tap, str] = Field(
        default={},
        description="kind onnx: tensors that losses may listen to, e.g. {'stride:4': '/layer1/Relu_output_0'}; keys: "
        "stride:S, fused, pre_classifier, module:NAME",
    )
    layout: Layout | None = Field(default=None, description="kind onnx: of its input; default: read from the file")
    normalisation: NormalisationSettings | None = Field(
        default=None, description="of its images; default: what its processor or its file says"
    )
    colour: Literal["RGB", "BGR"] = Field(default="RGB", description="kind onnx: order of its channels")
    multiple: int | None = Field(
        default=None, gt=0, description="kind onnx: both sides must be multiples of this, pixels; default: 32"
    )
    provider: Provider = Field(
        default="auto", description="kind onnx: where ONNX Runtime runs it; auto: CUDA if it has it"
    )

    @property
    def title(self) -> str:
        """See `TeacherSettings`."""
        return str(self.path)

    def load(self, classes: list[str]) -> LoadedTeacher:
        """See `TeacherSettings`."""
        file = find_graph(self.path)
        graph = with_outputs(file.path, [*self.taps.values(), *([self.logits] if self.logits else [])])
        session = open_session(graph.content, file.path, self.provider)
        spec = read_input(session.get_inputs(), self.layout, self.title)
        if self.normalisation is None and spec.dtype != "uint8":
            raise UserError(
                f"teacher: {self.title}: takes {spec.dtype}, and how its images were normalised is not in the file: "
                "say it with --teacher.normalisation.name imagenet, unit, symmetric or none"
            )
        if self.normalisation is not None and spec.dtype == "uint8":
            raise UserError(f"teacher: {self.title}: takes uint8, it normalises itself: remove teacher.normalisation")
        names = self.classes or file.classes
        network = OnnxNetwork(
            session=session,
            spec=spec,
            tensors={"logits": self.logits or graph.logits, **self.taps},
            classes=len(names or classes),
            multiple=1 if spec.size else (self.multiple or file.multiple or _MULTIPLE),
            normalisation=self.normalisation.value if self.normalisation else NONE,
            reverse=self.colour == "BGR",
            files=graph.files,
        )
        return LoadedTeacher(network.eval(), names)
