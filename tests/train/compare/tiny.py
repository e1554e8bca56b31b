"""A comparison of trainings of a second each, on 32 x 48 pixels of generated streets."""

from pathlib import Path
from typing import Any

from train.compare.config import CompareConfig

LR = {"low": 1e-3, "high": 1e-2, "log": True}


def tiny(out: Path, optimizer: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A config that has one student, a baseline and a method that only mirrors less; other keys as given."""
    streets = {"clips": 2, "val_clips": 2, "frames": 2, "size": [32, 64]}
    return {
        "name": "tiny",
        "out": str(out),
        "recipe": {
            "data": {"layout": "streets", "size": [32, 64], "streets": streets},
            "optimizer": {"warmup_steps": 0, **(optimizer or {})},
            "loop": {"steps": 4, "batch_size": 2, "eval_every": 2, "save_every": 4, "workers": 0, "threads": 1},
        },
        "students": {"small": {"architecture": "plain_s"}},
        "methods": {"baseline": {}, "upright": {"config": {"data": {"augment": {"mirror": 0.0}}}}},
        "tuning": {"trials": 2, "search": {"optimizer.lr": LR}},
        "seeds": [1, 2],
        "longer": 1.5,
        "latency": False,
        **changes,
    }


def tiny_config(out: Path, **changes: Any) -> CompareConfig:
    """The same, read."""
    return CompareConfig.model_validate(tiny(out, **changes))
