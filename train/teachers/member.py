"""The kinds of teachers that are one network, by their names."""

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from train.teachers.hugging_face import HuggingFaceTeacher
from train.teachers.named_model import NamedModelTeacher
from train.teachers.onnx import OnnxTeacher
from train.teachers.run import RunTeacher
from train.teachers.torchvision import TorchvisionTeacher


def kind_of(teacher: Any) -> str:
    """Of settings or of what they are made from; without a kind it is a run."""
    return str(teacher.get("kind", "run") if isinstance(teacher, dict) else getattr(teacher, "kind", "run"))


Member = Annotated[
    Annotated[RunTeacher, Tag("run")]
    | Annotated[NamedModelTeacher, Tag("named")]
    | Annotated[HuggingFaceTeacher, Tag("hugging_face")]
    | Annotated[TorchvisionTeacher, Tag("torchvision")]
    | Annotated[OnnxTeacher, Tag("onnx")],
    Discriminator(kind_of),
]
