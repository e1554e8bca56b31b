"""A run on disk: config, environment, metrics and checkpoints. Every write is atomic.

runs/<name>/  config.yaml  env.json  metrics.jsonl  report.html
              start.safetensors  pruning.json   where the network was pruned
              checkpoints/step-00000400/{model.safetensors,state.pt,sha256.json}   checkpoints/{last,best} -> step-…
"""

import json
import platform
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from pydantic import ValidationError
from torch import Tensor

from train.checkpoint_files import write_files
from train.config import RunConfig
from train.durable import atomic_path, discard, remove, sync, writing
from train.errors import UserError
from train.settings import explain
from train.yaml_file import read_yaml

Which = Literal["last", "best"]

START, PRUNING = "start.safetensors", "pruning.json"
"""Of a pruned network: the weights it starts from, and what pruning changed."""

KEPT = 2
"""Newest checkpoints that stay, beside the best one: a damaged one can be done without."""

_VERSIONS_OF = ("torch", "torchvision", "timm", "segmentation-models-pytorch", "numpy", "opencv-python-headless")
# Where a run lies and how it was started do not change what it computes.
_NOT_COMPARED = {"resume", "overwrite", "profile", "out", "name", "trackers", "loop.workers"}


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
            return RunConfig.model_validate(read_yaml(path))
        except ValidationError as error:
            raise UserError(explain(RunConfig, error, str(path))) from None

    def steps(self) -> list[Path]:
        """The folders of all checkpoints that can be resumed from, the newest first."""
        return sorted(self.checkpoints.glob("step-*"), reverse=True)

    def step(self, number: int) -> Path:
        """The folder of the checkpoint after so many steps, whether it is there or not."""
        return self.checkpoints / f"step-{number:08d}"

    def log(self, record: dict[str, Any]) -> None:
        """Append one line to ``metrics.jsonl``."""
        with self._writing(self.metrics), self.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")

    def records(self) -> list[dict[str, Any]]:
        """All whole lines of ``metrics.jsonl``; a crash may have cut one short, or left zeros in its place."""
        if not self.metrics.is_file():
            return []
        lines = self.metrics.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
        return [record for record in map(_parsed, lines) if record is not None]

    def forget_after(self, step: int) -> None:
        """Drop the metrics of steps that a resumed run will do again."""
        kept = [record for record in self.records() if record["step"] <= step]
        with self._writing(self.metrics), atomic_path(self.metrics) as path:
            path.write_text("".join(json.dumps(record) + "\n" for record in kept), encoding="utf-8")

    def save(self, step: int, weights: dict[str, Tensor], state: dict[str, Any], links: list[Which]) -> None:
        """Write a checkpoint, point ``links`` at it and drop all others but the newest ones and the best."""
        if self.metrics.is_file():
            sync(self.metrics)  # a resumed run has every line up to its step
        folder = self.write_checkpoint(self.step(step).name, weights, state)
        self.link(folder, links)
        # Damaged ones of later steps, from before a resumption, count for nothing: the run will come past them again.
        older = [path for path in self.steps() if path.name <= folder.name]
        best = (self.checkpoints / "best").resolve()
        for old in older[KEPT:]:
            if old.resolve() != best:
                discard(old)
        for left_by_a_crash in self.checkpoints.glob(".*"):
            remove(left_by_a_crash)

    def link(self, folder: Path, links: list[Which]) -> None:
        """Point ``links`` at a checkpoint."""
        for link in links:
            with self._writing(self.checkpoints / link), atomic_path(self.checkpoints / link) as path:
                path.symlink_to(folder.name, target_is_directory=True)

    def write_checkpoint(self, name: str, weights: dict[str, Tensor], state: dict[str, Any]) -> Path:
        """Write weights and state under ``checkpoints/<name>``, whole or not at all."""
        folder = self.checkpoints / name
        with self._writing(folder), atomic_path(folder) as path:
            path.mkdir()
            write_files(path, weights, state)
        return folder

    def _writing(self, target: Path) -> AbstractContextManager[None]:
        return writing(target, f"what was saved before is in {self.checkpoints}: make room, then go on with --resume")


def open_run(config: RunConfig, teacher: str | None = None) -> RunDirectory:
    """Make the run's folder, or reopen it to resume.

    Args:
        config: of the run.
        teacher: digest of its weights; None: there is none.

    Raises:
        UserError: the run exists and neither ``resume`` nor ``overwrite`` is set; or its config or its teacher was
            another one.
    """
    run = RunDirectory(config.out / config.name)
    if config.resume and (run.root / "config.yaml").is_file():
        _check_same_config(run, config)
        _check_same_teacher(run, teacher)
        return run
    check_new(config)
    if not _is_empty(run):
        discard(run.root)
    with writing(run.root, "make room, or choose another folder with --out"):
        _describe(run, config, teacher)
    return run


def check_new(config: RunConfig) -> None:
    """`UserError` if the run exists and the config does not say to overwrite it."""
    run = RunDirectory(config.out / config.name)
    if not (config.overwrite or _is_empty(run)):
        raise UserError(f"{run.root}: this run exists: add --resume to go on, --overwrite to start anew, or --name")


def _is_empty(run: RunDirectory) -> bool:
    """Whether there is nothing but what pruning put there, or a start that was killed leaves behind."""
    there = {path.name for path in run.root.glob("[!.]*")}
    return there <= {"env.json", "checkpoints", START, PRUNING} and not any(run.checkpoints.glob("*"))


def _describe(run: RunDirectory, config: RunConfig, teacher: str | None) -> None:
    run.root.mkdir(parents=True, exist_ok=True)
    with atomic_path(run.root / "env.json") as path:
        path.write_text(
            json.dumps({**_environment(config.seed), "teacher": teacher}, indent=2) + "\n", encoding="utf-8"
        )
    run.checkpoints.mkdir(exist_ok=True)
    # Last: a folder that has it is a run.
    with atomic_path(run.root / "config.yaml") as path:
        path.write_text(yaml.safe_dump(_plain(config), sort_keys=False), encoding="utf-8")


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) and "step" in record else None


def _plain(config: RunConfig) -> dict[str, Any]:
    plain: dict[str, Any] = config.model_dump(mode="json", exclude={"resume", "overwrite", "profile"})
    return plain


def changed_keys(old: RunConfig, new: RunConfig) -> list[str]:
    """Where two configs differ in what they compute, as dotted keys."""
    found = _differing(old.model_dump(mode="json"), new.model_dump(mode="json"))
    return [key for key in found if not {key, key.split(".")[0]} & _NOT_COMPARED]


def _check_same_config(run: RunDirectory, config: RunConfig) -> None:
    changed = changed_keys(run.config(), config)
    if changed:
        raise UserError(
            f"{run.root}: cannot resume, the config differs in {', '.join(changed)}: resume with the run's own "
            "config.yaml, or start a new run with --name"
        )


def _check_same_teacher(run: RunDirectory, teacher: str | None) -> None:
    """Of runs that have written its digest down."""
    old = json.loads((run.root / "env.json").read_text(encoding="utf-8")).get("teacher")
    if old not in (None, teacher):
        raise UserError(
            f"{run.root}: cannot resume, the teacher has other weights than when this began ({old}, now {teacher}): "
            "bring those back, or start anew with --overwrite or another --name"
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
