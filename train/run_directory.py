"""A run on disk: config, environment, metrics and checkpoints. Every write is atomic.

runs/<name>/  config.yaml  env.json  metrics.jsonl  report.html
              checkpoints/step-00000400/{model.safetensors,state.pt}   checkpoints/{last,best} -> step-…
"""

import contextlib
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from train.config import RunConfig
from train.errors import UserError
from train.settings import explain

Which = Literal["last", "best"]

_VERSIONS_OF = ("torch", "torchvision", "timm", "segmentation-models-pytorch", "numpy", "opencv-python-headless")
# Where a run lies and how it was started do not change what it computes.
_NOT_COMPARED = {"resume", "overwrite", "profile", "out", "name"}


class RunDirectory:
    """One run's folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.checkpoints = root / "checkpoints"
        self.metrics = root / "metrics.jsonl"

    def checkpoint(self, which: Which) -> Path:
        """The folder of a checkpoint. `UserError` if the run has none."""
        path = self.checkpoints / which
        if not path.is_dir():
            raise UserError(f"{self.root}: no '{which}' checkpoint: train it first, or check the path")
        return path

    def config(self) -> RunConfig:
        """The resolved config the run was started with. `UserError` if this is no run."""
        path = self.root / "config.yaml"
        if not path.is_file():
            raise UserError(f"{self.root}: not a run (config.yaml is missing): give the folder that training made")
        try:
            return RunConfig.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except ValidationError as error:
            raise UserError(explain(RunConfig, error, str(path))) from None

    def log(self, record: dict[str, Any]) -> None:
        """Append one line to ``metrics.jsonl``."""
        with self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def records(self) -> list[dict[str, Any]]:
        """All whole lines of ``metrics.jsonl``; a crash may have cut the last one short."""
        if not self.metrics.is_file():
            return []
        lines = self.metrics.read_text(encoding="utf-8").split("\n")[:-1]
        return [json.loads(line) for line in lines]

    def forget_after(self, step: int) -> None:
        """Drop the metrics of steps that a resumed run will do again."""
        kept = [record for record in self.records() if record["step"] <= step]
        with atomic_path(self.metrics) as path:
            path.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")

    def save(self, step: int, weights: dict[str, Tensor], state: dict[str, Any], links: list[Which]) -> None:
        """Write a checkpoint, point ``links`` at it and drop those that nothing points at any more."""
        folder = self.write_checkpoint(f"step-{step:08d}", weights, state)
        for link in links:
            with atomic_path(self.checkpoints / link) as path:
                path.symlink_to(folder.name, target_is_directory=True)
        kept = {(self.checkpoints / link).resolve() for link in ("last", "best")}
        for old in self.checkpoints.glob("step-*"):
            if old.resolve() not in kept:
                shutil.rmtree(old)

    def write_checkpoint(self, name: str, weights: dict[str, Tensor], state: dict[str, Any]) -> Path:
        """Write weights and state under ``checkpoints/<name>``, whole or not at all."""
        folder = self.checkpoints / name
        with atomic_path(folder) as path:
            path.mkdir()
            save_file({key: value.contiguous() for key, value in weights.items()}, path / "model.safetensors")
            torch.save(state, path / "state.pt")
            for file in path.iterdir():
                _sync(file)
        return folder


def open_run(config: RunConfig) -> RunDirectory:
    """Make the run's folder, or reopen it to resume.

    Raises:
        UserError: the run exists and neither ``resume`` nor ``overwrite`` is set; or its config was another one.
    """
    run = RunDirectory(config.out / config.name)
    if config.resume and (run.root / "config.yaml").is_file():
        _check_same_config(run, config)
        return run
    if run.root.exists() and any(run.root.iterdir()):
        if not config.overwrite:
            raise UserError(f"{run.root}: this run exists: add --resume to go on, --overwrite to start anew, or --name")
        shutil.rmtree(run.root)
    run.checkpoints.mkdir(parents=True)
    with atomic_path(run.root / "config.yaml") as path:
        path.write_text(yaml.safe_dump(_plain(config), sort_keys=False), encoding="utf-8")
    with atomic_path(run.root / "env.json") as path:
        path.write_text(json.dumps(_environment(config.seed), indent=2) + "\n", encoding="utf-8")
    return run


def load_weights(folder: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint. `UserError` if the file is missing or truncated."""
    path = folder / "model.safetensors"
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read ({error}): use another checkpoint") from None


def load_state(folder: Path) -> dict[str, Any]:
    """The training state of a checkpoint. `UserError` if the file is missing or truncated."""
    path = folder / "state.pt"
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read ({' '.join(str(error).split())[:120]}): use another checkpoint"
        ) from None
    return state


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A path to write to beside ``target``; it takes the target's name at the end, or disappears on an error."""
    # One name for every process: what a killed one left behind is cleared by the next write of the same target.
    temporary = target.with_name(f".{target.name}.tmp")
    _remove(temporary)
    try:
        yield temporary
        if not temporary.is_symlink() and temporary.is_file():
            _sync(temporary)
        if target.is_dir() and not target.is_symlink():
            _remove(target)
        temporary.replace(target)
    except BaseException:
        _remove(temporary)
        raise


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _plain(config: RunConfig) -> dict[str, Any]:
    plain: dict[str, Any] = config.model_dump(mode="json", exclude={"resume", "overwrite", "profile"})
    return plain


def _check_same_config(run: RunDirectory, config: RunConfig) -> None:
    old, new = run.config().model_dump(mode="json"), config.model_dump(mode="json")
    changed = [key for key in _differing(old, new) if key.split(".")[0] not in _NOT_COMPARED]
    if changed:
        raise UserError(
            f"{run.root}: cannot resume, the config differs in {', '.join(changed)}: resume with the run's own "
            "config.yaml, or start a new run with --name"
        )


def _differing(old: Any, new: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differing(old.get(key), new.get(key), f"{prefix}.{key}" if prefix else key)
    elif old != new:
        yield prefix


def _environment(seed: int) -> dict[str, Any]:
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    return {
        "seed": seed,
        "git_commit": commit or None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or "cpu",
        "versions": {name: metadata.version(name) for name in _VERSIONS_OF},
    }
