"""Live viewers beside the engine alone: ``python -m serve.live.benchmark BUNDLE``."""

import argparse
import dataclasses
import json
import shlex
from pathlib import Path
from statistics import median
from typing import Any, get_args

from rich import box
from rich.table import Table

from export.bundle import load_bundle
from serve.benchmark.console import table_console
from serve.benchmark.images import load_images
from serve.benchmark.report import machine
from serve.benchmark.server_process import serving
from serve.engines.choose import open_engine
from serve.engines.protocol import EngineName
from serve.live.benchmark.rounds import Level, inputs_of, measure_level, memory_over
from serve.settings import available_cores
from train.command import command
from train.durable import atomic_path
from train.progress import progress

DESCRIPTION = """Start a server of a bundle and watch it live from this process: with viewers that send a frame for each
mask, for the masks a second; then with cameras at 0.9 of that rate, for the time from a frame to its class map. Before
each, the engine alone in this process, with the same threads. All in turn, in several rounds; the table has their
medians. Then the server's memory over --endurance seconds."""


def main() -> None:
    """Measure, print, write what was asked for."""
    options = _parser().parse_args()
    frames = load_images(None, options.images, options.bundle)
    bundle = load_bundle(options.bundle)
    engine = open_engine(bundle, options.engine, options.threads).engine
    inputs = inputs_of(frames, bundle.manifest)
    line = ["--engine", engine.name, "--threads", str(options.threads), *options.server]
    memory: dict[int, tuple[float, float]] = {}
    with serving(options.bundle, line) as process:
        server = process.url, process.pid
        turns = [(viewers, turn) for turn in range(options.rounds) for viewers in options.viewers]
        levels = [
            measure_level(engine, inputs, server, frames, viewers, options.seconds, options.smoothing)
            for viewers, _ in progress(turns, "live", len(turns))
        ]
        for viewers in options.viewers if options.endurance else ():
            rate = median(level.camera_per_s for level in levels if level.viewers == viewers)
            memory[viewers] = memory_over(server, frames, viewers, options.endurance, options.smoothing, rate)
    _show(bundle.manifest.name, levels, memory, options.endurance)
    if options.json is not None:
        _write(levels, memory, options)


def _show(name: str, levels: list[Level], memory: dict[int, tuple[float, float]], endurance_s: float) -> None:
    console = table_console()
    table = Table(title=f"{name}, live ({machine()})", title_justify="left", box=box.SIMPLE)
    for column in (
        "viewers",
        "engine/s",
        "masks/s",
        "ratio",
        "CPU ms/mask",
        "camera/s",
        "p50 ms",
        "p95 ms",
        "frame times",
    ):
        table.add_column(column, justify="right")
    for viewers in dict.fromkeys(level.viewers for level in levels):
        some = [level for level in levels if level.viewers == viewers]
        row = [
            f"{_median(some, 'engine_per_s'):.1f}",
            f"{_median(some, 'masks_per_s'):.1f}",
            f"{_median(some, 'throughput_ratio'):.2f}",
            f"{_median(some, 'server_ms_per_mask'):.1f}",
            f"{_median(some, 'camera_per_s'):.1f}",
            f"{_median(some, 'glass_p50_ms'):.1f}",
            f"{_median(some, 'glass_p95_ms'):.1f}",
            f"{_median(some, 'glass_ratio'):.2f}",
        ]
        table.add_row(str(viewers), *row)
    console.print(table)
    for viewers in dict.fromkeys(level.viewers for level in levels):
        some = [level for level in levels if level.viewers == viewers]
        stages = {stage: median(level.stages_p50_ms[stage] for level in some) for stage in some[0].stages_p50_ms}
        rest = _median(some, "glass_p50_ms") - _median(some, "server_p50_ms")
        parts = ", ".join(f"{stage} {ms:.1f}" for stage, ms in stages.items())
        console.print(f"{viewers} viewers, p50 in ms: {parts}; outside the server {rest:.1f}", highlight=False)
    for viewers, (before, after) in memory.items():
        text = f"{viewers} viewers for {endurance_s:g} s: {before:.0f} MiB after a tenth, {after:.0f} MiB at the end"
        console.print(text, highlight=False)


def _median(levels: list[Level], name: str) -> float:
    return float(median(getattr(level, name) for level in levels))


def _write(levels: list[Level], memory: dict[int, tuple[float, float]], options: argparse.Namespace) -> None:
    record: dict[str, Any] = {"machine": machine(), "threads": options.threads, "smoothing": options.smoothing}
    record["levels"] = [
        {**dataclasses.asdict(level), "throughput_ratio": level.throughput_ratio, "glass_ratio": level.glass_ratio}
        for level in levels
    ]
    record["memory_mib"] = memory
    with atomic_path(options.json) as path:
        path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m serve.live.benchmark",
        description=DESCRIPTION,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder with manifest.json")
    parser.add_argument("--images", type=Path, metavar="DIR", help="frames, in turn; None: the bundle's samples")
    parser.add_argument("--viewers", type=_counts, default=[1, 4], metavar="N,N", help="connections at once")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="turns of all levels")
    parser.add_argument("--seconds", type=float, default=5.0, metavar="S", help="of each measurement, in seconds")
    parser.add_argument("--endurance", type=float, default=0.0, metavar="S", help="memory over so many seconds; 0: not")
    parser.add_argument("--smoothing", type=float, default=0.0, metavar="X", help="0 (off) to 1")
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto", help="what runs the network")
    parser.add_argument("--threads", type=int, default=available_cores(), metavar="N", help="of one inference")
    parser.add_argument(
        "--server", type=shlex.split, default=[], metavar="OPTIONS", help="further options of the server, as one word"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write each round there too")
    return parser


def _counts(text: str) -> list[int]:
    try:
        counts = [int(part) for part in text.split(",")]
    except ValueError:
        counts = []
    if not counts or min(counts) < 1:
        raise argparse.ArgumentTypeError(f"'{text}': give numbers from 1 with commas between them, such as 1,4")
    return counts


if __name__ == "__main__":
    command(main)
