"""A run that was killed and resumed is the run that was never killed, bit for bit."""

import json
import random
import signal
from collections.abc import Callable
from pathlib import Path

from tests.train.lives import Blow, life
from tests.train.same import assert_same_run, lines
from train.checkpoint_files import load_state
from train.config import RunConfig
from train.recipe import train
from train.run_directory import RunDirectory
from train.settings import load_config

STEPS = 12


def run(arguments: list[str]) -> RunDirectory:
    return train(load_config(RunConfig, "test", arguments))


def test_killed_at_a_random_moment_and_resumed_is_bit_identical(
    options: Callable[..., list[str]], teacher_run: Path, tmp_path: Path
) -> None:
    losses = [
        {"name": "fckd", "on": "features"},
        {"name": "kd", "weight": 0.5, "schedule": {"kind": "cosine_decay"}},
        {"name": "cross_entropy"},
    ]
    changes: dict[str, object] = {
        "losses": json.dumps(losses),
        "teacher__run": teacher_run,
        "optimizer__name": "sgd",
        "optimizer__ema_decay": 0.9,
        "loop__batch_size": 4,
        "loop__accumulate": 2,
        "loop__steps": STEPS,
        "loop__save_every": 3,
        "loop__eval_every": 5,
        "loop__workers": 1,
    }
    whole = run(options("whole", tmp_path, **changes))
    change, arguments = random.randint(10, 60), options("killed", tmp_path, **changes)
    ended = life(arguments, tmp_path, Blow(change))
    assert ended.code == -signal.SIGKILL, ended.err
    resumed = run([*arguments, "--resume"])

    print(f"killed before change {change}: {ended.out}")  # pytest shows it if what follows fails
    assert_same_run(resumed, whole)
    assert [line["step"] for line in lines(resumed) if "losses" in line] == list(range(1, STEPS + 1))
    assert load_state(whole.checkpoint("last"))["losses"], "this run has no adapter: it proves too little"
