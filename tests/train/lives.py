"""Trainings in processes of their own, which end as those of users do: killed, told to stop, out of room."""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context, set_start_method
from pathlib import Path
from typing import Literal, NamedTuple

from train import distill
from train.command import command

# Imports are done once; every life is a copy of the process that did them.
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__, "train.recipe"])

_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink"}


class Blow(NamedTuple):
    """A signal that a training gets before a change of a file or folder in the runs' folder."""

    change: int
    """Which one, counted from 1."""
    number: signal.Signals = signal.SIGKILL
    whom: Literal["itself", "workers", "all"] = "itself"


class Ended(NamedTuple):
    code: int
    out: str
    err: str


class Life:
    """One training with the command line of train.distill, from its start on.

    Args:
        arguments: of the command line.
        folder: gets what is printed.
        blow: what befalls it.
        largest_file: bytes; a write that goes beyond fails.
        environment: variables it has beside those of this process.
    """

    def __init__(
        self,
        arguments: list[str],
        folder: Path,
        blow: Blow | None = None,
        largest_file: int | None = None,
        environment: dict[str, str] | None = None,
    ) -> None:
        self._printed = folder / "out.txt", folder / "err.txt"
        self._process = _CONTEXT.Process(
            target=_live, args=(arguments, self._printed, blow, largest_file, environment or {})
        )
        self._process.start()
        assert self._process.pid is not None
        self.number = self._process.pid
        """Of the process."""

    def end(self) -> Ended:
        """Wait for it: the exit code, negative for a signal, and what was printed."""
        self._process.join()
        assert self._process.exitcode is not None
        out, err = (path.read_text(encoding="utf-8") for path in self._printed)
        return Ended(self._process.exitcode, out, err)


def life(arguments: list[str], folder: Path, blow: Blow | None = None, largest_file: int | None = None) -> Ended:
    """A whole `Life`."""
    return Life(arguments, folder, blow, largest_file).end()


def wait_for(there: Callable[[], bool], seconds: float = 60.0) -> None:
    """Until something is there."""
    end = time.monotonic() + seconds
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.002)


def tree(process: int) -> list[int]:
    """A process and its children."""
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [process, *map(int, children)]


def _live(
    arguments: list[str],
    printed: tuple[Path, Path],
    blow: Blow | None,
    largest_file: int | None,
    environment: dict[str, str],
) -> None:
    for stream, path in enumerate(printed, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    os.environ |= environment
    if blow is not None:
        _wait_for_change(blow, Path(arguments[arguments.index("--out") + 1]))
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    set_start_method("fork", force=True)  # of the workers that read data, as in a training that a user started
    sys.argv = ["train.distill", *arguments]
    command(distill.main)


def _wait_for_change(blow: Blow, folder: Path) -> None:
    left, training = blow.change, os.getpid()

    def look(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        changes = event in _CHANGES or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wa+x"))
        if changes and str(args[0]).startswith(str(folder)) and os.getpid() == training:
            left -= 1
            if left == 0:
                processes = {"itself": [training], "workers": tree(training)[1:], "all": tree(training)}
                for process in processes[blow.whom]:
                    os.kill(process, blow.number)

    sys.addaudithook(look)
