"""Time model files against each other: in turn, in one process, with the same threads."""

import os
import platform
import time
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from export.manifest import InputSpec, Latency
from export.runner import Runner
from train.progress import progress

Key = TypeVar("Key", bound=Hashable)

_WARMUP = 5


def time_in_turn(
    runners: Mapping[Key, Runner], image: NDArray[np.uint8], spec: InputSpec, threads: int, samples: int
) -> dict[Key, Latency]:
    """The latency of each runner on ``image``, ``(1, H, W, 3)``.

    One inference of each, then of each again: what else the machine does hits all alike, so that ratios hold.
    """
    times: dict[Key, list[float]] = {name: [] for name in runners}
    for _ in progress(range(_WARMUP + samples), "latency", _WARMUP + samples):
        for name, runner in runners.items():
            start = time.perf_counter()
            runner.run(image)
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: _latency(runners[name].runtime, times[name][_WARMUP:], spec, threads) for name in runners}


def _latency(runtime: str, times_ms: list[float], spec: InputSpec, threads: int) -> Latency:
    p50, p90, p99 = (round(float(value), 3) for value in np.percentile(times_ms, [50, 90, 99]))
    return Latency(
        scope=f"inference, batch 1, {spec.height}x{spec.width}, normalisation to class ids",
        device=f"cpu: {_processor()}, {os.cpu_count()} cores",
        runtime=runtime,
        threads=threads,
        samples=len(times_ms),
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
    )


def _processor() -> str:
    """On Linux, Python's own answer is the architecture at most."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
