"""A run that was killed and resumed is the run that was never killed, bit for bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from train.checkpoint_files import load_state, load_weights
from train.config import RunConfig
from train.recipe import train
from train.run_directory import RunDirectory
from train.settings import load_config

ROOT = Path(__file__).parents[2]
STEPS = 12


def run(arguments: list[str]) -> RunDirectory:
    return train(load_config(RunConfig, "test", arguments))


def kill_at(step: int, arguments: list[str], metrics: Path) -> None:
    """Start a training as a real process and SIGKILL it once it has logged this step."""
    process = subprocess.Popen(
        [sys.executable, "-m", "train.distill", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    while not (metrics.is_file() and f'{{"step": {step}, "lr"' in metrics.read_text(encoding="utf-8")):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


def assert_same_tensors(left: Any, right: Any, where: str = "") -> None:
    assert type(left) is type(right), where
    if isinstance(left, torch.Tensor):
        assert torch.equal(left, right), where
    elif isinstance(left, dict):
        assert left.keys() == right.keys(), where
        for key in left:
            assert_same_tensors(left[key], right[key], f"{where}/{key}")
    elif isinstance(left, list):
        assert len(left) == len(right), where
        for index, pair in enumerate(zip(left, right, strict=True)):
            assert_same_tensors(*pair, f"{where}/{index}")
    else:
        assert left == right, where


def lines(run: RunDirectory) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in line.items() if key not in ("samples_per_s", "seconds")} for line in run.records()
    ]


def test_killed_at_a_random_step_and_resumed_is_bit_identical(
    options: Callable[..., list[str]], teacher_run: Path, tmp_path: Path
) -> None:
    losses = [{"name": "fckd", "on": "features"}, {"name": "kd", "weight": 0.5}, {"name": "cross_entropy"}]
    changes: dict[str, object] = {
        "losses": json.dumps(losses),
        "teacher__run": teacher_run,
        "optimizer__ema_decay": 0.9,
        "loop__steps": STEPS,
        "loop__save_every": 3,
        "loop__eval_every": 5,
        "loop__workers": 1,
    }
    whole = run(options("whole", tmp_path, **changes))
    step = random.randint(1, STEPS - 2)
    arguments = options("killed", tmp_path, **changes)
    kill_at(step, arguments, tmp_path / "killed" / "metrics.jsonl")
    resumed = run([*arguments, "--resume"])

    print(f"killed at step {step}")  # pytest shows it if what follows fails
    for which in ("last", "best"):
        ours, theirs = resumed.checkpoint(which), whole.checkpoint(which)
        assert ours.resolve().name == theirs.resolve().name
        assert_same_tensors(load_weights(ours), load_weights(theirs), which)
        assert_same_tensors(load_state(ours), load_state(theirs), which)
    assert lines(resumed) == lines(whole)
    assert [line["step"] for line in lines(resumed) if "losses" in line] == list(range(1, STEPS + 1))
    assert load_state(whole.checkpoint("last"))["losses"], "this run has no adapter: it proves too little"
