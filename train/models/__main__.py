"""``python -m train.models``: students and teachers, what they cost, and which students fit a budget here."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import torch
from rich.console import Console

from train.command import command
from train.data.resize import Size
from train.durable import atomic_path
from train.errors import UserError
from train.models.budget import parse_budget, parse_size
from train.models.catalogue import CATALOGUE, Role
from train.models.listing import list_models, tables, verdict

_SIZE = "480x360"


def main() -> None:
    options = _options()
    budget = parse_budget(options.budget) if options.budget else None
    size = budget.size if budget else parse_size(options.size, "--size")
    if budget and not options.samples:
        raise UserError("--samples 0 times nothing: leave it out with --budget")
    if options.threads:
        torch.set_num_threads(options.threads)
    entries = [entry for entry in CATALOGUE if options.role in (None, entry.role)]
    rows = list_models(entries, size, options.classes, options.samples, budget)
    for found in tables(rows):
        Console().print(found)
    print(_scope(size, options.samples))
    if budget:
        print(verdict(rows, budget))
    if options.json:
        with atomic_path(options.json) as path:
            path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def _scope(size: Size, samples: int) -> str:
    rounded = f"MACs of one image of {size[1]}x{size[0]}, rounded up to what the network takes"
    if not samples:
        return rounded
    threads = torch.get_num_threads()
    return (
        f"{rounded}; ms: uint8 image to class ids, eager PyTorch {torch.__version__}, CPU, threads: {threads}, "
        f"median of {samples}. An exported bundle is faster: python -m export.table"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.models",
        description="List students and teachers: parameters, multiply-accumulates and latency of one image on this "
        "machine, and where ImageNet weights come from.",
    )
    parser.add_argument("--size", default=_SIZE, help=f"width x height of the image, pixels (default: {_SIZE})")
    parser.add_argument(
        "--budget", help="which students take at most so long for an image of that size, as in 10ms@480x360"
    )
    parser.add_argument("--role", choices=get_args(Role), help="list only these (default: both)")
    parser.add_argument("--classes", type=_positive, default=11, help="classes of the data (default: 11)")
    parser.add_argument("--samples", type=_count, default=10, help="timed passes of each; 0: none (default: 10)")
    parser.add_argument("--threads", type=_positive, help="CPU threads of one pass (default: all cores)")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    return parser.parse_args()


def _positive(text: str) -> int:
    return _count(text, least=1)


def _count(text: str, least: int = 0) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text}: give {least} or more")
    return int(text)


if __name__ == "__main__":
    command(main)
