"""``python -m train.data check``: read a dataset once, whole, and say what would stop or spoil a training (no torch).

Without torch because each process that reads imports this module first.
"""

import json
import os
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.table import Table

from train.command import command
from train.data.check import Duplicate, SplitCheck, duplicates
from train.data.open import open_dataset
from train.data.reading import read_splits
from train.data.spec import DatasetSpec
from train.errors import UserError
from train.progress import TrainingProgress
from train.settings import load_config

_SHOWN = 5
_LINES_OF_PROGRESS = 10


class CheckConfig(BaseModel):
    """Read every image and label of a dataset once, in parallel, and report what is wrong with them.

    Ends with 2 if something would stop or spoil a training: broken files, labels of another size than their image, ids
    of no class, the same image in the val split and in another one. Else with 0.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    splits: list[str] = Field([], description="splits to read; default: the dataset's train and val splits")
    workers: int | None = Field(None, ge=0, description="processes that read; 0: this one; default: one a CPU core")
    json_file: Path | None = Field(
        None, alias="json", description="also write everything to this file, every name included"
    )
    data: DatasetSpec = Field(default_factory=DatasetSpec, description="the dataset")


def main() -> None:
    config = load_config(CheckConfig, "python -m train.data check", _arguments())
    if config.json_file is not None and not config.json_file.parent.is_dir():
        raise UserError(f"json: {config.json_file.parent}: no such folder: make it first")
    workers = (os.cpu_count() or 1) if config.workers is None else config.workers
    names = config.splits or [config.data.train_split, config.data.val_split]
    splits = _read(config.data, list(dict.fromkeys(names)), workers)
    shared = duplicates(splits, config.data.val_split)
    console = Console()
    console.print(_overview(splits), _class_shares(splits))
    for line in _findings(splits, shared):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    wrong = _wrong(splits, shared)
    if config.json_file is not None:
        _save(config.json_file, splits, shared, wrong)
    if wrong:
        raise UserError(f"{config.data.layout}: {', '.join(wrong)}: see above, put them right or remove them")
    console.print("nothing here that would stop or spoil a training")


def _arguments() -> list[str]:
    match sys.argv[1:]:
        case ["check", *options]:
            return options
        case ["-h" | "--help", *_]:
            return ["--help"]
    raise UserError("python -m train.data: say what to do: 'check --data.layout … --data.root DIR', or --help")


def _read(spec: DatasetSpec, names: list[str], workers: int) -> list[SplitCheck]:
    datasets = {name: open_dataset(spec, name) for name in names}
    checks = {name: SplitCheck(name, dataset.classes) for name, dataset in datasets.items()}
    images = sum(len(dataset) for dataset in datasets.values())
    with TrainingProgress("check", 0, images, 1, max(1, images // _LINES_OF_PROGRESS)) as progress:
        for done, (name, reading) in enumerate(read_splits(spec, datasets, workers), 1):
            checks[name].add(reading)
            progress.update(done, {})
    return list(checks.values())


def _overview(splits: list[SplitCheck]) -> Table:
    table = Table(title="images", title_justify="left")
    table.add_column("")
    for check in splits:
        table.add_column(check.split, justify="right")
    rows: dict[str, list[object]] = {
        "images": [check.images for check in splits],
        "broken": [len(check.broken) for check in splits],
        "with ids of no class": [len(check.unknown) for check in splits],
        "without a labelled pixel": [len(check.unlabelled) for check in splits],
        "usual size, height x width": ["{}x{}".format(*check.usual_size) for check in splits],
        "other sizes": [max(0, len(check.sizes) - 1) for check in splits],
        "groups of equal images": [len(check.copies) for check in splits],
        "classes never seen": [len(check.never_seen) for check in splits],
    }
    for name, cells in rows.items():
        table.add_row(name, *map(str, cells))
    return table


def _class_shares(splits: list[SplitCheck]) -> Table:
    table = Table(title="share of the pixels", title_justify="left")
    table.add_column("class")
    for check in splits:
        table.add_column(check.split, justify="right")
    for name in splits[0].classes:
        table.add_row(name, *(f"{check.shares[name]:.4f}" for check in splits))
    table.add_row("ignored", *(f"{check.ignored_share:.4f}" for check in splits))
    return table


def _findings(splits: list[SplitCheck], shared: list[Duplicate]) -> list[str]:
    lines = []
    for check in splits:
        lines += _some(f"{check.split}: broken", check.broken)
        lines += _some(f"{check.split}: ids of no class", check.unknown)
        lines += _some(f"{check.split}: no labelled pixel", check.unlabelled)
        lines += _some(f"{check.split}: odd size", check.odd_sizes)
        lines += _some(f"{check.split}: equal images", [" = ".join(names) for names in check.copies])
        lines += [f"{check.split}: never seen: {', '.join(check.never_seen)}"] if check.never_seen else []
    return lines + _some("in two splits", [f"{found.one} = {found.other}" for found in shared])


def _some(title: str, found: list[str]) -> list[str]:
    lines = [f"{title}: {line}" for line in found[:_SHOWN]]
    return lines + ([f"{title}: {len(found) - _SHOWN} more, all in --json FILE"] if len(found) > _SHOWN else [])


def _wrong(splits: list[SplitCheck], shared: list[Duplicate]) -> list[str]:
    broken = sum(len(check.broken) for check in splits)
    unknown = sum(len(check.unknown) for check in splits)
    leaks = sum(found.leaks for found in shared)
    lines = {"broken": broken, "with ids of no class": unknown, "in the val split and in another one": leaks}
    return [f"{count} {'image' if count == 1 else 'images'} {what}" for what, count in lines.items() if count]


def _save(target: Path, splits: list[SplitCheck], shared: list[Duplicate], wrong: list[str]) -> None:
    record = {
        "splits": {check.split: check.record() for check in splits},
        "duplicates": [found._asdict() for found in shared],
        "wrong": wrong,
    }
    temporary = target.with_name(f".{target.name}.tmp")
    try:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        temporary.replace(target)
    except OSError as error:
        raise UserError(f"json: {target}: {error.strerror}: give a file that can be written") from None


if __name__ == "__main__":
    command(main)
