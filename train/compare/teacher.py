"""What is said of the teacher: who it is, its size, how well it does itself, and whom it did not teach."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from train.compare.arms import ArmConfig
from train.config import RunConfig
from train.data.dataset import Dataset
from train.durable import atomic_path
from train.evaluation import evaluate
from train.metrics import scores
from train.models.build import cost
from train.models.network import SegmentationNetwork, is_opaque
from train.models.weights_digest import weights_digest
from train.precision import choose_device
from train.splits import open_split
from train.teachers.loading import load_teacher

_FILE = "teacher.json"


def first_taught(arms: list[ArmConfig]) -> ArmConfig | None:
    """The arm whose teacher stands for all in the tables; None: none has one."""
    return next((arm for arm in arms if arm.base.teacher is not None), None)


def describe_teacher(arms: list[ArmConfig]) -> dict[str, Any] | None:
    """The first; None: none has one. It is looked at once, as long as its weights stay the same."""
    taught = first_taught(arms)
    if taught is None:
        return None
    path = taught.comparison.root / _FILE
    val_set, network = _open(taught.base)
    about = {"settings": taught.base.model_dump(mode="json")["teacher"], "digest": weights_digest(network)}
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if {key: found.get(key) for key in about} == about:
            return found
    found = {**about, **_look(taught.base, val_set, network)}
    with atomic_path(path) as target:
        target.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def taught_by_others(runs: Sequence[Path], digest: str) -> list[Path]:
    """Those whose teacher had other weights; runs that did not write them down are not among them."""
    teachers = {run: json.loads((run / "env.json").read_text(encoding="utf-8")).get("teacher") for run in runs}
    return [run for run, teacher in teachers.items() if teacher not in (None, digest)]


def _open(config: RunConfig) -> tuple[Dataset, SegmentationNetwork]:
    assert config.teacher is not None
    val_set = open_split(config, config.data.val_split)
    return val_set, load_teacher(config.teacher, val_set.classes, val_set.name).network


def _look(config: RunConfig, val_set: Dataset, network: SegmentationNetwork) -> dict[str, Any]:
    assert config.teacher is not None
    network = network.to(choose_device(config.loop.device))
    found = scores(evaluate(network, val_set, config.data.size), val_set.classes)
    parameters = None if is_opaque(network) else cost(network, config.data.size).parameters
    return {"title": config.teacher.title, "miou": found.miou, "parameters": parameters}
