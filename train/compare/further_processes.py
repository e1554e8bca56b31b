"""More processes of this comparison on this machine: started, told to end, and waited for."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from train.compare.config import CompareConfig
from train.interruption import Interrupted

Started = dict[Path, subprocess.Popen[bytes]]
"""Processes, by the log of each."""


@contextmanager
def further_processes(config: CompareConfig, arguments: Sequence[str]) -> Iterator[Callable[[], None]]:
    """The same command as often as is wanted besides this process, to train only; each has a log.

    Yields what says which of them have failed since: this process does what they leave. At the end of the context they
    are waited for; an exception ends them as SIGTERM does, and so does the end of this process, however it comes.
    """
    config.root.mkdir(parents=True, exist_ok=True)
    started: Started = {}
    with ExitStack() as stack:
        stack.enter_context(_ended_by_signals())
        try:
            for number in range(1, config.processes):
                log = config.root / f"process-{number}.log"
                started[log] = _start(arguments, stack.enter_context(log.open("a", encoding="utf-8")).fileno())
            yield lambda: _say_failed(started)
        except BaseException:
            for process in started.values():
                _close_input(process)
            raise
        finally:
            for process in started.values():
                process.wait()
                _close_input(process)
        _say_failed(started)


def _start(arguments: Sequence[str], log: int) -> subprocess.Popen[bytes]:
    """In a session of its own: Ctrl-C in the terminal would reach it twice, and the second one ends at once."""
    command = [sys.executable, "-m", "train.compare.further", *arguments, "--processes", "1", "--no-tables"]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )


def _close_input(process: subprocess.Popen[bytes]) -> None:
    """What it ends by, if it is not at its end."""
    assert process.stdin is not None
    process.stdin.close()


def _say_failed(started: Started) -> None:
    """Each once."""
    for log in [log for log, process in started.items() if process.poll()]:
        print(f"{log}: this process has failed, its last lines say why; the others go on", file=sys.stderr, flush=True)
        _close_input(started.pop(log))


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal are exceptions, like Ctrl-C; a training has its own way with the first."""
    wanted = [number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, _end) for number in wanted}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, _frame: FrameType | None) -> NoReturn:
    name = signal.Signals(number).name
    raise Interrupted(f"{name}: what is trained is saved; go on by the same command", number)
