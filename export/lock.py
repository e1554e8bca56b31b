"""One writer at a time to each part of a bundle: file locks beside its folder (no torch)."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from train.errors import UserError
from train.file_lock import file_lock

WAIT_S = 30.0


@contextlib.contextmanager
def locked(root: Path, what: str, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the bundle's lock on ``what``: "manifest", or the role of a file that is being made.

    It stands beside the folder, not in it: an export may put a whole new folder in its place.

    Raises:
        UserError: another program holds it for longer than ``wait_s`` seconds.
    """
    with file_lock(root.absolute().parent / f".{root.name}.{what}.lock", wait_s) as held:
        if not held:
            raise UserError(f"{root}: another program is writing its {what}: let it finish, then start this one again")
        yield
