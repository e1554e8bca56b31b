"""Our students against those of timm and segmentation_models_pytorch: ``python -m tests.peers.students --root DIR``.

All are trained from scratch by one recipe on CamVid, exported, and timed in turn in ONNX Runtime on this CPU.
"""

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from export.graph import make_graph
from export.manifest import InputSpec, OutputSpec
from train.command import command
from train.config import RunConfig
from train.data.resize import Size
from train.durable import atomic_path
from train.history import History
from train.models.build import build_model, cost
from train.models.config import ModelConfig
from train.progress import progress
from train.recipe import train
from train.run_directory import RunDirectory

_CLASSES = 11
_TIMED: Size = (352, 480)
_WARMUP = 3
_DEEPLAB: dict[str, Any] = {"architecture": "deeplabv3plus"}
NETWORKS: dict[str, dict[str, Any]] = {
    "plain_s": {"architecture": "plain_s"},
    "mobilenetv4_035": _DEEPLAB | {"encoder": "mobilenetv4_conv_small_035", "decoder": {"decoder_channels": 48}},
    "plain_m": {"architecture": "plain_m"},
    "lite0_to_16": _DEEPLAB | {"encoder_depth": 4, "decoder": {"decoder_channels": 64}},
    "plain_l": {"architecture": "plain_l"},
    "lite0_to_32": _DEEPLAB | {"decoder": {"decoder_channels": 32}},
}
"""Each of ours before the one of its size."""


@dataclass(frozen=True)
class Row:
    """One network: size, latency in ms by threads, best mIoU on val by seed."""

    name: str
    parameters: int
    macs: int
    ms: dict[int, float]
    miou: list[float]


def main() -> None:
    options = _options()
    models = {name: ModelConfig.model_validate(NETWORKS[name]) for name in options.only}
    miou = {name: [_miou(name, model, seed, options) for seed in options.seeds] for name, model in models.items()}
    times = _latencies(models, options.samples)
    rows = []
    for name, model in models.items():
        found = cost(build_model(model, _CLASSES), _TIMED)
        rows.append(Row(name, found.parameters, found.macs, times[name], miou[name]))
    print(markdown(rows))
    if options.json:
        with atomic_path(options.json) as path:
            path.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n", encoding="utf-8")


def markdown(rows: list[Row]) -> str:
    """The table; latencies as shares of the first network's, too."""
    lines = ["| student | parameters | MACs | val mIoU | ms, 1 thread | ms, 2 threads | of the first |"]
    lines.append("|---|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        scores = ", ".join(f"{value:.3f}" for value in row.miou) or "not trained"
        share = row.ms[1] / rows[0].ms[1]
        lines.append(
            f"| {row.name} | {row.parameters / 1e6:.2f} M | {row.macs / 1e9:.2f} G | {scores} "
            f"| {row.ms[1]:.1f} | {row.ms[2]:.1f} | {share:.2f} |"
        )
    return "\n".join(lines)


def _miou(name: str, model: ModelConfig, seed: int, options: argparse.Namespace) -> float:
    """Of a run, which is trained unless an earlier call has done so."""
    config = RunConfig.model_validate(
        {
            "name": f"{name}-{seed}",
            "out": options.out,
            "seed": seed,
            "model": model,
            "data": {"layout": "camvid", "root": options.root, "size": options.size, "crop": options.crop},
            "optimizer": {"lr": 2e-3, "weight_decay": 1e-2, "warmup_steps": 50},
            "loop": {
                "steps": options.steps,
                "eval_every": options.steps,
                "save_every": options.steps,
                "log_every": 50,
                "threads": options.threads,
            },
            "trackers": [],
        }
    )
    run = RunDirectory(config.out / config.name)
    best = History.of(run.records()).best if run.metrics.is_file() else None
    if best is None:
        best = History.of(train(config.model_copy(update={"overwrite": True})).records()).best
    assert best is not None
    return float(best["miou"])


def _latencies(models: dict[str, ModelConfig], samples: int) -> dict[str, dict[int, float]]:
    """Medians of one image, uint8 to class ids; one inference of each in turn, with one thread and with two.

    With one it is the thread's own time, which other load on the machine changes less.
    """
    sessions = {}
    for name, model in progress(models.items(), "export", len(models)):
        graph = _graph(model)
        sessions |= {(name, threads): _session(graph, threads) for threads in (1, 2)}
    image = np.random.default_rng(0).integers(0, 256, (1, *_TIMED, 3), np.uint8)
    times: dict[tuple[str, int], list[float]] = {key: [] for key in sessions}
    for _ in progress(range(_WARMUP + samples), "latency", _WARMUP + samples):
        for key, session in sessions.items():
            clock = time.thread_time if key[1] == 1 else time.perf_counter
            began = clock()
            session.run(["mask"], {"image": image})
            times[key].append(1e3 * (clock() - began))
    medians = {key: statistics.median(of[_WARMUP:]) for key, of in times.items()}
    return {name: {threads: medians[name, threads] for threads in (1, 2)} for name in models}


def _graph(model: ModelConfig) -> bytes:
    """Random weights: a convolution takes as long with any."""
    torch.manual_seed(0)
    network = build_model(model, _CLASSES).eval()
    spec = InputSpec(
        height=_TIMED[0],
        width=_TIMED[1],
        multiple=network.multiple,
        smallest=network.multiple,
        dynamic_batch=False,
        dynamic_size=False,
        mean=[0.0],
        std=[1.0],
    )
    return bytes(make_graph(network, spec, OutputSpec()).SerializeToString())


def _session(graph: bytes, threads: int) -> onnxruntime.InferenceSession:
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = threads
    # Workers that spin for more work would take the core of the network that is timed next.
    settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(graph, settings, providers=["CPUExecutionProvider"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.peers.students", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="folder of CamVid, with train.txt and val.txt")
    parser.add_argument("--out", type=Path, default=Path("runs/students"), help="runs (default: runs/students)")
    parser.add_argument("--only", nargs="+", choices=NETWORKS, default=list(NETWORKS), help="networks (default: all)")
    parser.add_argument(
        "--seeds", nargs="*", type=int, default=[0], help="of the runs; none: timing alone (default: 0)"
    )
    parser.add_argument("--steps", type=int, default=1200, help="of 8 images (default: 1200)")
    parser.add_argument("--size", nargs=2, type=int, default=[192, 256], help="height, width (default: 192 256)")
    parser.add_argument("--crop", nargs=2, type=int, default=[160, 224], help="height, width (default: 160 224)")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads of training; 0: all cores (default: 0)")
    parser.add_argument("--samples", type=int, default=40, help="timed inferences of each (default: 40)")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    return parser.parse_args()


if __name__ == "__main__":
    command(main)
