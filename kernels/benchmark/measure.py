"""Time and memory of one computation, and the rates that a device reaches at best."""

import ctypes
import functools
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

Computation = Callable[[], Tensor]


def milliseconds(run: Callable[[], object], device: torch.device, budget_s: float = 2.0) -> float:
    """Median over as many warm runs as fit the budget, at least 3 and at most 50; one where a run takes over 10 s.

    On a CPU with one thread it is the thread's own time, which other load on the machine does not change.
    """
    once = _cuda_once if device.type == "cuda" else _cpu_once
    least = 3 if once(run) < 10_000 else 1
    times: list[float] = []
    while len(times) < least or (sum(times) < 1000 * budget_s and len(times) < 50):
        times.append(once(run))
    return statistics.median(times)


def _cuda_once(run: Callable[[], object]) -> float:
    # Inputs that the last run left in the cache would cost nothing; and filling gives the host time to launch.
    _larger_than_caches().zero_()
    start = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    stop = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    start.record()
    run()
    stop.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(stop))


@functools.cache
def _larger_than_caches() -> Tensor:
    return torch.empty(1 << 28, dtype=torch.uint8, device="cuda")


def _cpu_once(run: Callable[[], object]) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    run()
    return 1000 * (clock() - start)


def peak_megabytes(run: Callable[[], object], device: torch.device) -> float | None:
    """Memory that ``run`` needs above what was there before it; None where the system does not tell."""
    run()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        allocated = torch.cuda.memory_allocated()
        run()
        return (torch.cuda.max_memory_allocated() - allocated) / 1e6
    if sys.platform != "linux":
        return None
    # Freed memory that the allocator kept would hide what the run needs.
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    run()
    return (_resident("VmHWM") - before) / 1e6


def _resident(key: str) -> float:
    status = Path("/proc/self/status").read_text()
    return 1024 * float(status.split(f"{key}:")[1].split()[0])


def free_bytes(device: torch.device) -> float:
    """Memory that a computation may take; infinite where the system does not tell."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        return float(torch.cuda.mem_get_info()[0])
    if sys.platform != "linux":
        return float("inf")
    return 1024 * float(Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0])


def copy_rate(device: torch.device) -> float:
    """Bytes per second, read and written, of a copy that no cache holds."""
    source = torch.empty(1 << 26, device=device)
    target = torch.empty_like(source)
    return 8 * source.numel() / (milliseconds(lambda: target.copy_(source), device) / 1000)


def matrix_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second of a large matrix product, a multiplication and an addition counted as two."""
    side = 4096 if device.type == "cuda" else 1024
    a = torch.randn(side, side, device=device, dtype=dtype)
    return 2 * side**3 / (milliseconds(lambda: a @ a, device) / 1000)
