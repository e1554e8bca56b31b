"""What is said of the teacher: who it is, its size, and how well it does itself."""

import json
from typing import Any

from train.compare.arms import ArmConfig
from train.config import RunConfig
from train.durable import atomic_path
from train.evaluation import evaluate
from train.metrics import scores
from train.models.build import cost
from train.models.network import is_opaque
from train.precision import choose_device
from train.splits import open_split
from train.teachers.loading import load_teacher

_FILE = "teacher.json"


def describe_teacher(arms: list[ArmConfig]) -> dict[str, Any] | None:
    """Of the first arm that has one; None: none has. It is looked at once, later calls read what was found."""
    taught = next((arm for arm in arms if arm.base.teacher is not None), None)
    if taught is None:
        return None
    path = taught.comparison.root / _FILE
    settings = taught.base.model_dump(mode="json")["teacher"]
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if found["settings"] == settings:
            return found
    found = {"settings": settings, **_look(taught.base)}
    with atomic_path(path) as target:
        target.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return found


def _look(config: RunConfig) -> dict[str, Any]:
    assert config.teacher is not None
    val_set = open_split(config, config.data.val_split)
    network = load_teacher(config.teacher, val_set.classes, val_set.name).network.to(choose_device(config.loop.device))
    found = scores(evaluate(network, val_set, config.data.size), val_set.classes)
    parameters = None if is_opaque(network) else cost(network, config.data.size).parameters
    return {"title": config.teacher.title, "miou": found.miou, "parameters": parameters}
