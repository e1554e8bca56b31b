"""Segmentation networks of torchvision, with taps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.teachers.contract import LoadedTeacher, TeacherSettings
from train.teachers.normalisation import IMAGENET
from train.teachers.weights_file import read_weights

Name = Literal[
    "deeplabv3_resnet50", "deeplabv3_resnet101", "deeplabv3_mobilenet_v3_large", "fcn_resnet50", "fcn_resnet101",
    "lraspp_mobilenet_v3_large",
]  # fmt: skip
_HEADS = ("classifier.4.weight", "classifier.low_classifier.weight")
"""The last convolution of DeepLabV3 and FCN, and of LR-ASPP."""


class TorchvisionTeacher(TeacherSettings):
    """A network of torchvision: its own weights by their name, or a file of some."""

    kind: Literal["torchvision"] = Field(description="a network of torchvision")
    architecture: Name = Field(default="deeplabv3_resnet50", description="kind torchvision: the network")
    weights: str | None = Field(
        default=None, description="kind torchvision: torchvision's name, e.g. COCO_WITH_VOC_LABELS_V1, or DEFAULT"
    )
    file: Path | None = Field(default=None, description="its weights: .safetensors, or a state_dict of torch")

    @model_validator(mode="after")
    def _check_one_source(self) -> "TorchvisionTeacher":
        if (self.file is None) == (self.weights is None):
            raise ValueError("a network of torchvision needs weights: give either weights, by name, or file")
        return self

    @property
    def title(self) -> str:
        """See `TeacherSettings`."""
        return f"{self.architecture} ({self.file or self.weights})"

    def load(self, classes: list[str]) -> LoadedTeacher:  # noqa: ARG002  # the weights say how many there are
        """See `TeacherSettings`."""
        weights, own = (
            _downloaded(self.architecture, self.weights) if self.file is None else (read_weights(self.file), [])
        )
        key = next((key for key in _HEADS if key in weights), None)
        if key is None:
            raise UserError(f"teacher: {self.title}: no weights of {self.architecture}: there is no '{_HEADS[0]}'")
        network = TorchvisionNetwork(self.architecture, len(weights[key]))
        network.load(weights, self.title)
        return LoadedTeacher(network.eval(), self.classes or own)


class TorchvisionNetwork(SegmentationNetwork):
    """Backbone and head of a network of torchvision; stops before torchvision's own upsampling.

    Shows the stages, ``logits`` and, but for LR-ASPP, ``fused``. Where layers are dilated, several have one stride: the
    stage is the deepest of them.
    """

    def __init__(self, name: str, classes: int) -> None:
        super().__init__(classes, 32, *IMAGENET)
        whole: Any = get_model(name, weights=None, weights_backbone=None, num_classes=classes)
        self.backbone: nn.ModuleDict = whole.backbone
        self._read: dict[str, str] = whole.backbone.return_layers  # by the head, under these names
        self.classifier: nn.Module = whole.classifier

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:
        """See `SegmentationNetwork`."""
        stages: dict[str, Tensor] = {}
        features: dict[str, Tensor] = {}
        found = image
        for name, layer in self.backbone.items():
            found = layer(found)
            stages[f"stride:{image.shape[-1] // found.shape[-1]}"] = found
            if name in self._read:
                features[self._read[name]] = found
        if not decoded:
            return stages
        if isinstance(self.classifier, nn.Sequential):
            *layers, classifier = self.classifier
            fused = features["out"]
            for layer in layers:
                fused = layer(fused)
            return {**stages, "fused": fused, "pre_classifier": fused, "logits": classifier(fused)}
        return {**stages, "logits": self.classifier(features)}

    def load(self, weights: Mapping[str, Tensor], source: str) -> None:
        """Take torchvision's weights; those of an auxiliary head are left out. `UserError` if they do not fit."""
        from train.checkpoint import load_into  # which reads configs, and so this module

        own = {key: value for key, value in weights.items() if not key.startswith("aux_classifier.")}
        load_into(self, {"mean": self.mean, "std": self.std, **own}, Path(source))


def _downloaded(architecture: str, name: str | None) -> tuple[dict[str, Tensor], list[str]]:
    known = get_model_weights(architecture)
    if name not in (*known.__members__, "DEFAULT"):
        raise UserError(f"teacher.weights: '{name}': {architecture} has {', '.join(known.__members__)}")
    weights: Any = known[name]
    try:
        return weights.get_state_dict(progress=True, check_hash=True), list(weights.meta["categories"])
    except Exception as error:  # of the network and the disk
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise UserError(
            f"teacher.weights: {name} cannot be downloaded ({reason}): give a file of them with teacher.file"
        ) from None
