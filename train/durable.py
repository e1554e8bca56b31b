"""Writes that outlast a crash: whole or not at all, and on the disk itself when they return (no torch)."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from train.errors import UserError


@contextlib.contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A path to write to beside ``target``; it takes the target's name at the end, or disappears on an error."""
    # One name for every process: what a killed one left behind is cleared by the next write of the same target.
    temporary = target.with_name(f".{target.name}.tmp")
    remove(temporary)
    try:
        yield temporary
        if not temporary.is_symlink():
            sync(temporary)
        if target.is_dir() and not target.is_symlink():
            discard(target)
        temporary.replace(target)
        sync(target.parent)
    except BaseException:
        remove(temporary)
        raise


@contextlib.contextmanager
def writing(target: Path, advice: str) -> Iterator[None]:
    """Say in one line that something cannot be written, and what to do.

    Raises:
        UserError: the disk is full, the file would be larger than the system allows, or it cannot be written there.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error}): {advice}") from None


def remove(path: Path) -> None:
    """Delete a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def discard(folder: Path) -> None:
    """Delete a folder such that nobody, not even after a crash, finds half of it under its name."""
    doomed = folder.with_name(f".{folder.name}.old")
    remove(doomed)
    folder.rename(doomed)
    remove(doomed)


def sync(path: Path) -> None:
    """Have a file, or the entries of a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
