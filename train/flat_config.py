"""A config as dotted keys, as on the command line (no torch)."""

import json
from typing import Any

Value = str | int | float | bool


def flat_config(values: dict[str, Any], prefix: str = "") -> dict[str, Value]:
    """One value a key; what is None or empty has none.

    Items of a list that have names are keys by them, ``losses.kd.weight``; other lists are JSON.
    """
    flat: dict[str, Value] = {}
    for key, value in values.items():
        inner = _named(value) if isinstance(value, list) else value
        if isinstance(inner, dict):
            flat |= flat_config(inner, f"{prefix}{key}.")
        elif isinstance(value, Value):
            flat[prefix + key] = value
        elif value:
            flat[prefix + key] = json.dumps(value)
    return flat


def _named(items: list[Any]) -> dict[str, Any] | None:
    """By name; None: they have none, or two have the same."""
    named = {item["name"]: item for item in items if isinstance(item, dict) and "name" in item}
    if len(named) < len(items):
        return None
    return {name: {key: value for key, value in item.items() if key != "name"} for name, item in named.items()}
