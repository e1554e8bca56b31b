"""``python -m train.step_cost CONFIG.yaml COST.json [--key value ...]``: time and memory of whole training steps.

Started by `train.scaling`, by torchrun for several processes; makes no run.
"""

import json
import resource
import statistics
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from train import processes
from train.command import command
from train.config import RunConfig
from train.session import Session, open_session
from train.settings import load_config
from train.step import train_step

_WARMUP = 3


@dataclass(frozen=True)
class StepCost:
    """Of a training on so many processes."""

    processes: int
    batch_size: int
    """Images a step, of all of them."""
    device: str
    ms: float
    """A step with its wait for data, median."""
    mib: float
    """Most memory that a process had: of its GPU; on a CPU all that is resident, the libraries too."""


def main() -> None:
    config_path, target, *arguments = sys.argv[1:]
    with processes.joined():
        config = load_config(RunConfig, "python -m train.step_cost", [config_path, *arguments, "--profile"])
        found = measure(open_session(config))
        if processes.is_first():
            Path(target).write_text(json.dumps(asdict(found)), encoding="utf-8")


def measure(session: Session) -> StepCost:
    """Train all steps of a session; the first ones, in which memory is still being found, do not count."""
    times, batches = [], session.batches()
    for _ in range(session.config.loop.steps):
        began = time.perf_counter()
        train_step(session, next(batches))
        if session.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - began))
    return StepCost(
        processes=processes.count(),
        batch_size=session.config.loop.batch_size,
        device=torch.cuda.get_device_name() if session.device.type == "cuda" else "cpu",
        ms=statistics.median(times[_WARMUP:]),
        mib=max(processes.gathered([_peak_mib(session.device)])),
    )


def _peak_mib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    kib_to_mib = 1024 if sys.platform != "darwin" else 2**20  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kib_to_mib


if __name__ == "__main__":
    command(main)
