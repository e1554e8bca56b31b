"""Trainings in processes of their own, which end as those of users do: killed, told to stop, out of room."""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context, set_start_method
from pathlib import Path
from typing import NamedTuple

from train import distill
from train.command import command

# Imports are done once; every life is a copy of the process that did them.
_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload([__name__, "train.recipe"])

_CHANGES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink"}


class Ended(NamedTuple):
    code: int
    out: str
    err: str


def life(
    arguments: list[str],
    folder: Path,
    killed_at: int | None = None,
    largest_file: int | None = None,
    disturb: Callable[[int], None] = lambda _: None,
) -> Ended:
    """One training with the command line of train.distill.

    Args:
        arguments: of the command line.
        folder: gets what is printed.
        killed_at: SIGKILL before this change of a file or folder in the runs' folder, counted from 1.
        largest_file: bytes; a write that goes beyond fails.
        disturb: called with the number of the process.

    Returns:
        The exit code, negative for a signal, and what was printed.
    """
    out, err = folder / "out.txt", folder / "err.txt"
    process = _CONTEXT.Process(target=_live, args=(arguments, out, err, killed_at, largest_file))
    process.start()
    assert process.pid is not None
    disturb(process.pid)
    process.join()
    assert process.exitcode is not None
    return Ended(process.exitcode, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))


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


def _live(arguments: list[str], out: Path, err: Path, killed_at: int | None, largest_file: int | None) -> None:
    for stream, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), stream)
    if killed_at is not None:
        _die_before_change(killed_at, Path(arguments[arguments.index("--out") + 1]))
    if largest_file is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))
    set_start_method("fork", force=True)  # of the workers that read data, as in a training that a user started
    sys.argv = ["train.distill", *arguments]
    command(distill.main)


def _die_before_change(number: int, folder: Path) -> None:
    left = number

    def look(event: str, args: tuple[object, ...]) -> None:
        nonlocal left
        changes = event in _CHANGES or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wa+x"))
        if changes and str(args[0]).startswith(str(folder)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)
