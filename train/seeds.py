"""``python -m train.seeds CONFIG [CONFIG ...]``: each config with several seeds, and what differs."""

import argparse
import json
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from train.command import command
from train.config import RunConfig
from train.errors import UserError
from train.settings import load_config

SCORES = {"miou": "mIoU", "tc": "temporal consistency", "flips_per_s": "label flips /s"}
"""By key in scores.json; those that a split cannot give are left out."""


@dataclass(frozen=True)
class Scored:
    """One config: its score with each seed, by key of `SCORES`."""

    config: Path
    scores: dict[str, list[float]]


def main() -> None:
    options, changes = _options()
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)  # before the hours, not after
    results = [_run(config, options.seeds, options.temporal, changes) for config in options.configs]
    Console().print(table(results, options.seeds))
    if options.json:
        record = {str(result.config): result.scores for result in results}
        options.json.write_text(json.dumps({"seeds": options.seeds, **record}, indent=2) + "\n", encoding="utf-8")


def table(results: list[Scored], seeds: list[int]) -> Table:
    """Mean ± standard deviation, and by how much each seed departs from the same seed of the first config."""
    shown = Table(title=f"{len(seeds)} seeds, mean ± standard deviation", title_justify="left")
    shown.add_column("config")
    first = results[0]
    for key in first.scores:
        shown.add_column(SCORES[key], justify="right")
        shown.add_column("each seed against the first config", justify="right")
    for result in results:
        cells = [f"{result.config.parent.name}/{result.config.stem}"]
        for key, values in result.scores.items():
            differences = [value - other for value, other in zip(values, first.scores[key], strict=True)]
            cells += [_spread(values), "" if result is first else " ".join(f"{value:+.4f}" for value in differences)]
        shown.add_row(*cells)
    return shown


def _spread(values: list[float]) -> str:
    deviation = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{deviation}"


def _run(path: Path, seeds: list[int], temporal: bool, changes: list[str]) -> Scored:
    records = [_train_and_score(path, seed, temporal, changes) for seed in seeds]
    there = [key for key in SCORES if all(record.get(key) is not None for record in records)]
    return Scored(path, {key: [record[key] for record in records] for key in there})


def _train_and_score(path: Path, seed: int, temporal: bool, changes: list[str]) -> dict[str, Any]:
    """A run that is finished is only scored: --resume finds nothing left to do."""
    config = load_config(RunConfig, "python -m train.seeds", [str(path), *changes])
    name = f"{config.name}-seed{seed}"
    run = config.out / name
    _call("train.distill", str(path), *changes, "--name", name, "--seed", str(seed), "--resume")
    _call("train.evaluate", str(run), "--pictures", "0", *(["--temporal"] if temporal else []))
    record: dict[str, Any] = json.loads((run / "evaluation" / "scores.json").read_text(encoding="utf-8"))
    return record | (record.get("temporal") or {})


def _call(module: str, *arguments: str) -> None:
    if subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode:
        raise UserError(f"python -m {module} {' '.join(arguments)}: failed, see above; what is finished is kept")


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m train.seeds",
        description="Train each config with each seed, score the runs, and compare with the first config. "
        "Other options, --loop.steps 100 for one, are passed on to each training.",
    )
    parser.add_argument(
        "configs", type=Path, nargs="+", metavar="CONFIG", help="YAML of train.distill; the first one is compared with"
    )
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[0, 1, 2], help="of weights, order and augmentation (default: 0 1 2)"
    )
    parser.add_argument(
        "--temporal", action="store_true", help="score clips as well: temporal consistency, label flips"
    )
    parser.add_argument("--json", type=Path, help="also write all scores to this file")
    return parser.parse_known_args()


if __name__ == "__main__":
    command(main)
