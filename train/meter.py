"""How long a training took and how much energy, where the machine has a meter; summed over its resumptions."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from train.history import Record

RAPL = Path("/sys/class/powercap")
"""Energy counters of Intel and AMD processors (https://docs.kernel.org/power/powercap/powercap.html)."""

OF_THE_RUN = ("seconds", "cpu_joules", "gpu_joules")
"""What a meter may read."""

Joules = Callable[[], float]
"""A counter that only grows; its start means nothing."""


class Meter:
    """Seconds and joules since the run was first started, without the time in which it stood still.

    The energy is that of the whole processors (``cpu_joules``) and GPUs (``gpu_joules``) of this machine, whoever else
    uses them. One that cannot be read, or was not in an earlier part of the run, is left out.

    Args:
        records: lines that earlier parts of the run wrote.
        counters: those of the machine by name; default: all that can be read.
    """

    def __init__(self, records: Sequence[Record], counters: dict[str, Joules] | None = None) -> None:
        counters = energy_counters() if counters is None else counters
        earlier = next((line for line in reversed(records) if "seconds" in line), None)
        self._seconds = (earlier["seconds"] if earlier else 0.0) - time.monotonic()
        self._counters = {name: read for name, read in counters.items() if earlier is None or name in earlier}
        self._joules = {name: (earlier[name] if earlier else 0.0) - read() for name, read in self._counters.items()}

    def read(self) -> dict[str, float]:
        """By name."""
        joules = {name: round(self._joules[name] + read(), 1) for name, read in self._counters.items()}
        return {"seconds": round(self._seconds + time.monotonic(), 3), **joules}


def energy_counters(rapl: Path = RAPL) -> dict[str, Joules]:
    """``cpu_joules`` where this user may read it, and ``gpu_joules`` of the GPUs that torch sees."""
    packages = [path for path in sorted(rapl.glob("intel-rapl:*")) if path.name.count(":") == 1]
    kinds = {
        "cpu_joules": [_processor(path) for path in packages if _is_readable(path / "energy_uj")],
        "gpu_joules": _gpus(),
    }
    return {name: _sum(counters) for name, counters in kinds.items() if counters}


def _sum(counters: list[Joules]) -> Joules:
    return lambda: sum(counter() for counter in counters)


def _is_readable(path: Path) -> bool:
    try:
        return bool(path.read_text(encoding="ascii"))
    except OSError:  # most systems allow it to the administrator alone
        return False


def _processor(package: Path) -> Joules:
    wraps_at = int((package / "max_energy_range_uj").read_text(encoding="ascii"))
    last = total = 0

    def joules() -> float:
        nonlocal last, total
        now = int((package / "energy_uj").read_text(encoding="ascii"))
        total += (now - last) % wraps_at
        last = now
        return total / 1e6

    return joules


def _gpus() -> list[Joules]:
    """NVML's counters, on GPUs from Volta on."""
    if not torch.cuda.is_available():
        return []
    import pynvml

    def counter(device: int) -> Joules:
        handle = pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{torch.cuda.get_device_properties(device).uuid}")
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
        return lambda: float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) / 1000

    try:
        pynvml.nvmlInit()
        return [counter(device) for device in range(torch.cuda.device_count())]
    except pynvml.NVMLError:  # an old GPU, or one inside of a container that hides the counter
        return []
