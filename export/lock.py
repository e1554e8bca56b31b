"""One writer at a time to each part of a bundle: file locks beside its folder (no torch)."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from train.errors import UserError

WAIT_S = 30.0


@contextlib.contextmanager
def locked(root: Path, what: str, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the bundle's lock on ``what``: "manifest", or the role of a file that is being made.

    The system takes it back from a process that dies. It stands beside the folder, not in it: an export may put a
    whole new folder in its place. Not to be taken twice in one process.

    Raises:
        UserError: another program holds it for longer than ``wait_s`` seconds.
    """
    path = root.absolute().parent / f".{root.name}.{what}.lock"
    file = _acquire(path, time.monotonic() + wait_s)
    if file is None:
        raise UserError(f"{root}: another program is writing its {what}: let it finish, then start this one again")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _acquire(path: Path, until: float) -> int | None:
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(path, file):
                return file
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(file)
                return None
            time.sleep(0.05)
        except BaseException:
            os.close(file)
            raise
        os.close(file)


def _is_still(path: Path, file: int) -> bool:
    """Whether the name leads to this file: its last holder removes it, and another may have made a new one."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
