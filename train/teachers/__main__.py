"""``python -m train.teachers CONFIG.yaml [--key value ...]``: what a teacher shows, and which of its classes is which.

Prints the taps that losses can listen to, a table of classes to confirm, and the lines to paste into the config.
"""

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import ConfigDict, Field
from rich.console import Console
from rich.table import Table

from train.command import command
from train.config import RunConfig
from train.data.open import open_dataset
from train.durable import atomic_path
from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.models.taps import Tap
from train.settings import load_config
from train.teachers.class_map import check_names
from train.teachers.contract import LoadedTeacher
from train.teachers.loading import check_count
from train.teachers.matching import Match, propose

_SIDE = 256
_ALL: frozenset[Tap] = frozenset({"logits"})


class TeachersConfig(RunConfig):
    """Look at the teacher of a training's config, without training: its taps and its classes."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    json_file: Path | None = Field(default=None, alias="json", description="also write what is found to this file")


def main() -> None:
    config = load_config(TeachersConfig, "python -m train.teachers")
    if config.teacher is None:
        raise UserError("teacher: the config names none: add --teacher.kind and what it is loaded from")
    data = open_dataset(config.data, config.data.train_split)
    loaded = config.teacher.load(data.classes)
    theirs = loaded.classes or data.classes
    check_count(loaded.network, theirs, config.teacher.title)
    check_names(config.teacher.class_map, theirs, data.classes, config.teacher.title)
    matches = [_given(match, config.teacher.class_map) for match in propose(theirs, data.classes)]
    shapes = _taps(loaded.network)
    console = Console()
    console.print(_tap_table(config.teacher.title, shapes))
    console.print(_class_table(matches, data.name))
    _say_what_is_missing(loaded, matches, data.classes)
    if theirs != data.classes:
        print("to confirm, and to paste below `teacher:`\n")
        print(yaml.safe_dump({"class_map": {match.theirs: match.ours for match in matches}}, sort_keys=False))
    if config.json_file is not None:
        record = {"taps": shapes, "classes": [match._asdict() for match in matches]}
        with atomic_path(config.json_file) as path:
            path.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def _given(match: Match, class_map: dict[str, str | None]) -> Match:
    """What the config says already is not guessed."""
    return match._replace(ours=class_map[match.theirs], how="the config") if match.theirs in class_map else match


def _taps(network: SegmentationNetwork) -> dict[str, Any]:
    side = -(-_SIDE // network.multiple) * network.multiple
    with torch.inference_mode():
        shown = network(torch.zeros(1, 3, side, side), _ALL)
    return {
        tap: {"channels": found.shape[1], "stride": round(side / found.shape[-1])} for tap, found in shown.maps.items()
    }


def _tap_table(title: str, shapes: dict[str, Any]) -> Table:
    table = Table(title=f"{title} shows", title_justify="left")
    for column in ("tap", "channels", "stride, pixels"):
        table.add_column(column, justify="left" if column == "tap" else "right")
    for tap, shape in shapes.items():
        table.add_row(tap, str(shape["channels"]), str(shape["stride"]))
    return table


def _class_table(matches: list[Match], dataset: str) -> Table:
    table = Table(title=f"its classes, and those of {dataset}", title_justify="left")
    for column in ("of the teacher", "of the data", "why"):
        table.add_column(column)
    for match in matches:
        table.add_row(match.theirs, match.ours or "-", "left out" if match.ours is None else match.how)
    return table


def _say_what_is_missing(loaded: LoadedTeacher, matches: list[Match], ours: list[str]) -> None:
    for note in loaded.notes:
        print(note)
    found = {match.ours for match in matches}
    missing = [name for index, name in enumerate(ours) if name not in found or index in loaded.unknown]
    if missing:
        print(f"the teacher knows nothing of {', '.join(missing)}: labels alone teach that")


if __name__ == "__main__":
    command(main)
