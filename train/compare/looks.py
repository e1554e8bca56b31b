"""When a test split was looked at: what is trained after that has been chosen by people who knew its scores."""

import json
from collections.abc import Sequence
from pathlib import Path

from train.durable import atomic_path

_FILE = "test_splits.json"


def trained_later(root: Path, split: str, runs: Sequence[str]) -> list[str]:
    """Those of ``runs`` that were not there when the split was first looked at; the first look is now, or on record.

    Args:
        root: the comparison's folder.
        split: that is about to be looked at.
        runs: all that are to be scored on it.
    """
    path = root / _FILE
    looks: dict[str, list[str]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if split in looks:
        return [run for run in runs if run not in looks[split]]
    with atomic_path(path) as target:
        target.write_text(json.dumps({**looks, split: list(runs)}, indent=2) + "\n", encoding="utf-8")
    return []
