"""A lock that the system takes back from a process that dies: a file that one process at a time holds (no torch)."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_S = 0.05


@contextlib.contextmanager
def file_lock(path: Path, wait_s: float = 0.0) -> Iterator[bool]:
    """Hold the lock at ``path``, which is made for it and removed behind it. Not to be taken twice in one process.

    Yields whether it is held; False: another process has had it for all of ``wait_s`` seconds. Machines that share a
    folder share its locks where their file system has ``flock``, as NFS has.
    """
    file = _acquire(path, time.monotonic() + wait_s)
    try:
        yield file is not None
    finally:
        if file is not None:
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
            time.sleep(_POLL_S)
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
