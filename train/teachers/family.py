"""All kinds of teachers by their names."""

from typing import Annotated

from pydantic import Discriminator, Tag

from train.teachers.average import AverageTeacher
from train.teachers.class_groups import ClassGroupsTeacher
from train.teachers.hugging_face import HuggingFaceTeacher
from train.teachers.member import kind_of
from train.teachers.named_model import NamedModelTeacher
from train.teachers.onnx import OnnxTeacher
from train.teachers.run import RunTeacher
from train.teachers.torchvision import TorchvisionTeacher

AnyTeacher = Annotated[
    Annotated[RunTeacher, Tag("run")]
    | Annotated[NamedModelTeacher, Tag("named")]
    | Annotated[HuggingFaceTeacher, Tag("hugging_face")]
    | Annotated[TorchvisionTeacher, Tag("torchvision")]
    | Annotated[OnnxTeacher, Tag("onnx")]
    | Annotated[AverageTeacher, Tag("average")]
    | Annotated[ClassGroupsTeacher, Tag("class_groups")],
    Discriminator(kind_of),
]
