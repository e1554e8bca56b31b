"""``python -m train.step_cost CONFIG.yaml COST.json [--key value ...]``: time and memory of whole training steps.

Started by `train.scaling`, by torchrun for several processes; makes no run.
"""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from train import processes
from train.command import command
from train.config import RunConfig
from train.data.batches import Batch
from train.session import Session, open_session
from train.settings import load_config
from train.step import train_step
from train.views import views

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
    bare_ms: float
    """A loop over the same networks and losses on one batch that is in memory, and nothing else: median."""
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
    """Train all steps of a session, then as many in a bare loop."""
    batches, steps = session.batches(), session.config.loop.steps - 1
    batch = next(batches)
    ms = _median_ms(lambda: train_step(session, next(batches)), steps, session.device)
    mib = max(processes.gathered([_peak_mib(session.device)]))
    return StepCost(
        processes=processes.count(),
        batch_size=session.config.loop.batch_size,
        device=torch.cuda.get_device_name() if session.device.type == "cuda" else "cpu",
        ms=ms,
        bare_ms=_median_ms(lambda: _bare_step(session, batch), steps, session.device),
        mib=mib,
    )


def _median_ms(work: Callable[[], object], steps: int, device: torch.device) -> float:
    """Without the first ones, in which memory is still being found."""
    times = []
    for _ in range(steps):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[_WARMUP:])


def _bare_step(session: Session, batch: Batch) -> None:
    state = session.state
    state.optimizer.zero_grad(set_to_none=True)
    with session.precision.autocast():
        needs, context = state.losses.needs, session.teaching_context()
        seen = views(batch, session.student, session.teaching, needs, context)
        total, _ = state.losses(seen, 0, session.config.loop.steps)
    state.scaler.scale(total).backward()
    state.scaler.step(state.optimizer)
    state.scaler.update()


def _peak_mib(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    kib_to_mib = 1024 if sys.platform != "darwin" else 2**20  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / kib_to_mib


if __name__ == "__main__":
    command(main)
