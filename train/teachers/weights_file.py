"""Weights from a file that somebody made: safetensors, or torch's format read without running anything."""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from train.errors import UserError

_NESTED = ("state_dict", "model_state_dict", "model")
_PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every name."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name, without the prefixes of wrappers.

    Raises:
        UserError: no such file, damaged, it wants to run something, or it holds no weights.
    """
    if not path.is_file():
        raise UserError(f"teacher: {path}: no such file of weights: check the path")
    try:
        found: Any = load_file(path) if path.suffix == ".safetensors" else _read_torch(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"teacher: {path}: cannot be read ({_one_line(error)}): get the file anew") from None
    for key in _NESTED:
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise UserError(f"teacher: {path}: holds no weights by name: save the network's state_dict()")
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in found):
            found = {key.removeprefix(prefix): value for key, value in found.items()}
    return dict(found)


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged or a hostile file torch raises nearly anything
        raise UserError(
            f"teacher: {path}: holds more than weights, or is damaged ({_one_line(error)}; nothing was run): save the "
            "network's state_dict(), best as .safetensors"
        ) from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
