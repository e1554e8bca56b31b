"""What a training on several processes survives: when one dies, all end, and --resume goes on."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.train.lives import Life, tree, wait_for
from tests.train.same import assert_same_run
from train.run_directory import RunDirectory

Options = Callable[..., list[str]]


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def two_processes(arguments: list[str], folder: Path) -> tuple[Life, Life]:
    """A training on two processes, as torchrun starts it."""
    lives, port = [], free_port()
    for rank in ("0", "1"):
        (folder / rank).mkdir(exist_ok=True)
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        lives.append(Life(arguments, folder / rank, environment=place))
    return lives[0], lives[1]


@pytest.mark.parametrize("victim", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_when_one_of_two_processes_dies_both_end(options: Options, tmp_path: Path, victim: int) -> None:
    out = tmp_path / "runs"
    changes = {"loop__steps": 16, "loop__save_every": 2, "loop__eval_every": 16, "trackers": "[]"}
    for life_ in two_processes(options("whole", out, **changes), tmp_path):
        ended = life_.end()
        assert ended.code == 0, ended.err
    again, arguments = RunDirectory(out / "again"), [*options("again", out, **changes), "--resume"]
    lives = two_processes(arguments, tmp_path)
    wait_for(lambda: any(line["step"] == 3 for line in again.records()))
    os.kill(lives[victim].number, signal.SIGKILL)
    died = time.monotonic()
    assert lives[victim].end().code == -signal.SIGKILL
    survivor = lives[1 - victim].end()
    assert time.monotonic() - died < 20
    assert survivor.code > 0
    assert "Traceback" not in survivor.err
    (said,) = [line for line in survivor.err.splitlines() if line.startswith("error: ")]  # torch warns in its own way
    assert "another process of this training is gone: look there for the reason" in said
    for life_ in two_processes(arguments, tmp_path):
        ended = life_.end()
        assert ended.code == 0, ended.err
    assert_same_run(again, RunDirectory(out / "whole"))


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_torchrun_ends_when_a_process_dies_or_it_is_told_to(
    options: Options, tmp_path: Path, number: signal.Signals
) -> None:
    changes = {"loop__steps": 400, "loop__save_every": 2, "loop__eval_every": 400, "trackers": "[]"}
    arguments = [*options("again", tmp_path, **changes), "--resume"]
    again, started = RunDirectory(tmp_path / "again"), ["torch.distributed.run", "--nproc-per-node", "2"]
    training = subprocess.Popen(
        [sys.executable, "-m", *started, "--master-port", free_port(), "-m", "train.distill", *arguments],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: any(line["step"] == 5 for line in again.records()), seconds=240)
    os.kill(tree(training.pid)[1] if number == signal.SIGKILL else training.pid, number)
    died = time.monotonic()
    errors = training.communicate()[1]
    assert training.returncode > 0
    assert time.monotonic() - died < 30
    if number == signal.SIGKILL:
        assert "error: another process of this training is gone" in errors
    else:
        step = int(again.checkpoint("last").resolve().name.removeprefix("step-"))
        assert f"SIGTERM: stopped after step {step}, which is saved in {again.step(step)}" in errors
    assert again.checkpoint("last").is_dir()
