"""A long training in which nothing grows."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from tests.train.lives import Life, tree
from train.run_directory import RunDirectory

STEPS, WARM = 2000, 500
_PAGE_MB = 4096 / 2**20

LOSSES = [
    {"name": "cross_entropy"},
    {"name": "kd"},
    {"name": "cirkd", "pixel_memory": 256, "region_memory": 64, "pixel_contrast": 64, "region_contrast": 16},
]


class Reading(NamedTuple):
    step: int
    memory_mb: float
    files: int


@pytest.mark.slow
@pytest.mark.timeout(900)  # 2 minutes on two free cores
def test_memory_and_open_files_stay_flat(options: Callable[..., list[str]], teacher_run: Path, tmp_path: Path) -> None:
    changes = {
        "losses": json.dumps(LOSSES),
        "teacher__run": teacher_run,
        "optimizer__ema_decay": 0.99,
        "data__size": "[32,48]",
        "loop__steps": STEPS,
        "loop__eval_every": 100,
        "loop__save_every": 50,
        "loop__log_every": 5,
        "loop__workers": 1,
    }
    run, readings = RunDirectory(tmp_path / "long"), list[Reading]()
    training = Life(options("long", tmp_path, **changes), tmp_path)
    while (memory := memory_mb(training.number)) > 0:
        readings.append(Reading(last_step(run.metrics), memory, open_files(training.number)))
        time.sleep(0.2)
    ended = training.end()
    assert ended.code == 0, ended.err
    steady = [reading for reading in readings if WARM <= reading.step < STEPS]
    assert len({reading.step for reading in steady}) > 100
    steps, memory, files = np.array(steady, dtype=float).T
    growth = np.polyfit(steps, memory, 1)[0] * (STEPS - WARM)
    print(f"memory {memory[0]:.1f} to {memory[-1]:.1f} MB, fitted growth {growth:+.2f} MB in {STEPS - WARM} steps")
    assert growth < 5
    assert np.polyfit(steps, files, 1)[0] * (STEPS - WARM) < 1


def last_step(metrics: Path) -> int:
    """Of ``metrics.jsonl``, from its end."""
    if not metrics.is_file():
        return 0
    lines = metrics.read_bytes()[-4000:].split(b"\n")[1:-1]
    return int(json.loads(lines[-1])["step"]) if lines else 0


def memory_mb(process: int) -> float:
    """Resident, of a process and its children; 0: it has ended."""
    pages = 0
    for each in tree(process):
        try:
            pages += int(Path(f"/proc/{each}/statm").read_text(encoding="ascii").split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return pages * _PAGE_MB


def open_files(process: int) -> int:
    """Of a process."""
    try:
        return len(list(Path(f"/proc/{process}/fd").iterdir()))
    except (FileNotFoundError, ProcessLookupError):
        return 0
