"""Real worker processes on one socket: they share the work, are replaced, and end together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.serve.waiting import wait_until

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).with_name("processes_program.py")


class Program:
    """The program and its address."""

    def __init__(self, *options: str, flag: str = "") -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error", "FLAG": flag}
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{self.process.stdout.readline().strip()}"

    def workers(self, count: int, without: int = 0) -> set[int]:
        """Ids of the processes that answer, once there are so many."""
        found: set[int] = set()
        deadline = time.monotonic() + 30
        while len(found) < count:
            assert time.monotonic() < deadline, found
            with httpx.Client(timeout=20) as client:
                try:
                    found.add(int(client.get(f"{self.url}/").text))
                except httpx.TransportError:
                    continue
            found.discard(without)
        return found

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


@pytest.fixture
def started() -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def start(*options: str, flag: str = "") -> Program:
        programs.append(Program(*options, flag=flag))
        return programs[-1]

    yield start
    for program in programs:
        if program.process.poll() is None:
            program.process.kill()
            program.process.communicate()


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_two_processes_share_a_socket_and_their_counters(started: Callable[..., Program]) -> None:
    program = started()
    assert program.process.pid not in program.workers(2)
    counts = []
    for _ in range(10):
        text = httpx.get(f"{program.url}/metrics").text
        line = next(line for line in text.splitlines() if line.startswith("segdistill_requests_total"))
        counts.append(float(line.split()[-1]))
    assert counts == list(range(int(counts[0]), int(counts[0]) + 10)), "each answer counts every request of both"
    assert program.end() == (0, "")


def test_a_killed_process_is_replaced_and_the_other_goes_on(started: Callable[..., Program]) -> None:
    program = started()
    killed, other = program.workers(2)
    os.kill(killed, signal.SIGKILL)
    assert other in program.workers(2, without=killed)
    code, errors = program.end()
    assert code == 0
    assert f"worker process {killed}: it ended with SIGKILL; another one in 0.0 s" in errors


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_running_requests_finish(started: Callable[..., Program], number: int) -> None:
    program = started()
    workers = program.workers(2)
    answers: list[int] = []
    threads = [
        threading.Thread(target=lambda: answers.append(httpx.get(f"{program.url}/slow").status_code)) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    assert program.end(number) == (0, "")
    for thread in threads:
        thread.join()
    assert answers == [200] * 6
    assert not any(map(is_alive, workers))


def test_a_process_that_does_not_end_is_killed_after_the_grace(started: Callable[..., Program]) -> None:
    program = started("--grace-s", "0.5")
    workers = program.workers(2)
    httpx.get(f"{program.url}/hang")
    code, errors = program.end()
    assert code == 1
    assert "did not end within 0.5 s: killed" in errors
    assert not any(map(is_alive, workers))


def test_a_process_that_cannot_start_ends_all_with_its_line(started: Callable[..., Program]) -> None:
    program = started("--fails", "error")
    out, errors = program.process.communicate(timeout=30)
    assert (program.process.returncode, out) == (2, "")
    assert errors == "error: the bundle is broken: export it again\n"


def test_a_process_that_just_ends_ends_all(started: Callable[..., Program]) -> None:
    program = started("--fails", "exit")
    _, errors = program.process.communicate(timeout=30)
    assert program.process.returncode == 2
    assert errors == "error: a worker process was never ready: it ended with exit code 7, see its messages above\n"


@pytest.mark.slow
def test_a_replacement_that_cannot_start_is_tried_again_later(started: Callable[..., Program], tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    program = started("--fails", "later", flag=str(flag))
    killed, other = program.workers(2)
    flag.touch()
    os.kill(killed, signal.SIGKILL)
    time.sleep(1.5)
    assert program.workers(1) == {other}, "the other process answers meanwhile"
    flag.unlink()
    assert len(program.workers(2, without=killed)) == 2
    code, errors = program.end()
    assert code == 0
    assert "the bundle is broken: export it again; another one in 0.2 s" in errors


def test_workers_do_not_outlive_a_killed_parent(started: Callable[..., Program]) -> None:
    program = started()
    workers = program.workers(2)
    program.process.kill()
    program.process.communicate()
    wait_until(lambda: not any(map(is_alive, workers)))
