"""The files of one checkpoint: written with their checksums, and read only if they are what was written.

step-00000400/  model.safetensors  state.pt  sha256.json
"""

import hashlib
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from train.durable import sync
from train.errors import UserError

WEIGHTS, STATE, CHECKSUMS = "model.safetensors", "state.pt", "sha256.json"


class DamagedError(UserError):
    """A checkpoint's file that is missing, or not what was written."""

    def __init__(self, path: Path, reason: str) -> None:
        self.path = path
        self.reason = " ".join(reason.split())[:120]
        super().__init__(f"{path}: cannot be read ({self.reason}): use another checkpoint")


def write_files(folder: Path, weights: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write a checkpoint's files into an empty folder, onto the disk. `OSError` if there is no room."""
    try:
        save_file({key: value.contiguous() for key, value in weights.items()}, folder / WEIGHTS)
        with (folder / STATE).open("wb") as file:
            torch.save(state, file)
    except (RuntimeError, SafetensorError) as error:
        raise _cause(error) from None
    checksums = {name: _sha256(folder / name) for name in (WEIGHTS, STATE)}
    (folder / CHECKSUMS).write_text(json.dumps(checksums, indent=2) + "\n", encoding="utf-8")
    for name in (WEIGHTS, STATE, CHECKSUMS):
        sync(folder / name)


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint. `DamagedError` if the file is missing, damaged or something else."""
    path = folder / WEIGHTS
    _check(path)
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise DamagedError(path, str(error)) from None


def load_state(folder: Path) -> dict[str, Any]:
    """The training state of a checkpoint. `DamagedError` if the file is missing, damaged or something else.

    Tensors, numbers and their containers are read, and nothing that the file might want to call.
    """
    path = folder / STATE
    _check(path)
    _check_archive(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of a damaged or a hostile file torch raises nearly anything
        code = re.search(r"GLOBAL (\S+)", str(error))
        raise DamagedError(path, f"it wants to run {code[1]}; nothing was run" if code else str(error)) from None
    if not isinstance(state, dict) or "step" not in state:
        raise DamagedError(path, "it holds no state of a training")
    return state


def _check(path: Path) -> None:
    """`DamagedError` unless a file is the one that was written. Checkpoints of older versions have no checksums."""
    listed = path.with_name(CHECKSUMS)
    try:
        expected = json.loads(listed.read_bytes())[path.name] if listed.exists() else None
        if not path.is_file():
            raise DamagedError(path, "it is missing")
        if expected is not None and _sha256(path) != expected:
            raise DamagedError(path, "its content is not what was written: its sha256 differs")
    except OSError as error:
        raise DamagedError(path, error.strerror or str(error)) from None
    except (ValueError, KeyError, TypeError):
        raise DamagedError(listed, f"it has no sha256 of {path.name}") from None


def _check_archive(path: Path) -> None:
    """`DamagedError` unless the file is as torch writes it: a zip archive that unpacks to no more than its own size."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise DamagedError(path, str(error)) from None
    compressed = any(entry.compress_type != zipfile.ZIP_STORED for entry in entries)
    if compressed or sum(entry.file_size for entry in entries) > path.stat().st_size:
        raise DamagedError(path, "it would unpack to more than its size, which no file of torch does")


def _cause(error: Exception) -> OSError:
    """What the system said, behind the exceptions of torch and safetensors."""
    if isinstance(error.__context__, OSError):
        return error.__context__
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(str(error))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
