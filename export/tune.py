"""``python -m export.tune BUNDLE``: which ONNX Runtime session configuration is fastest on this machine."""

import argparse
import functools
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from export.bundle import load_bundle, update_file
from export.latency import time_in_turn
from export.manifest import FileRecord, Latency
from export.runner import OnnxRuntimeRunner
from export.timing_options import add_timing_options, check_timing
from train.command import command

CANDIDATES: dict[str, dict[str, str]] = {
    "default": {},
    "workers sleep at once": {"session.intra_op.allow_spinning": "0"},
    "workers sleep after a run": {"session.force_spinning_stop": "1"},
    "finer shares of work": {"session.dynamic_block_base": "4"},
}
"""None of them changes what is computed, so that the proof of the file stands."""

MIN_GAIN = 0.03
"""By less than this the default is kept: it is noise."""


def main() -> None:
    options = _options()
    check_timing(options)
    bundle = load_bundle(options.bundle)
    spec = bundle.manifest.input
    image = np.zeros((1, spec.height, spec.width, 3), np.uint8)
    table = Table(title="p50 in ms by session configuration", title_justify="left", box=box.SIMPLE, pad_edge=False)
    for column in ("file", *CANDIDATES):
        table.add_column(column, justify="left" if column == "file" else "right")
    for role, record in bundle.manifest.files.items():
        if record.runtime != "onnxruntime":
            continue
        runners = {
            name: OnnxRuntimeRunner(
                bundle.file(role), record.model_copy(update={"session": session}), bundle.manifest, options.threads
            )
            for name, session in CANDIDATES.items()
        }
        measured = time_in_turn(runners, image, spec, options.threads, options.samples)
        best = fastest(measured)
        update_file(bundle.root, role, record.sha256, functools.partial(_with, best))
        table.add_row(role, *(_cell(measured[name], name == best) for name in CANDIDATES))
    Console().print(table)


def fastest(measured: Mapping[str, Latency]) -> str:
    """The candidate with the smallest median, or the default if none beats it by `MIN_GAIN`."""
    best = min(measured, key=lambda name: measured[name].p50_ms)
    return best if measured[best].p50_ms < (1 - MIN_GAIN) * measured["default"].p50_ms else "default"


def _with(best: str, record: FileRecord) -> FileRecord:
    return record.model_copy(update={"session": CANDIDATES[best]})


def _cell(latency: Latency, chosen: bool) -> str:
    return f"{latency.p50_ms:.2f}{' *' if chosen else ''}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.tune",
        description="Time each ONNX file of a bundle under several session configurations, in turn, and record the "
        "fastest in the manifest: export.verify, export.table and serve open the file so.",
    )
    parser.add_argument("bundle", type=Path, help="folder made by export.onnx")
    add_timing_options(parser, samples=100)
    return parser.parse_args()


if __name__ == "__main__":
    command(main)
