"""What the runs of a comparison were trained on and with."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def environment_of(runs: Sequence[Path]) -> dict[str, Any]:
    """Of the ``env.json`` of all runs; where they differ, a list. What is meant to differ is left out."""
    found = [json.loads((run / "env.json").read_text(encoding="utf-8")) for run in runs]
    return {key: _together([one.get(key) for one in found]) for key in found[0] if key not in ("seed", "teacher")}


def _together(values: list[Any]) -> Any:
    if isinstance(values[0], dict):
        return {key: _together([(value or {}).get(key) for value in values]) for key in values[0]}
    distinct = [value for number, value in enumerate(values) if value not in values[:number]]
    return distinct[0] if len(distinct) == 1 else distinct
