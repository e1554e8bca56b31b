"""Flow kept on disk, found by the bits of the frames it was computed from (no torch)."""

import contextlib
import hashlib
import os
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from train.data.flow.field import Flow
from train.errors import UserError

_ABANDONED_S = 3600.0

_VERSION = "1"
"""Of the files' form; another one makes other keys, so that no file of an older form is ever read."""


class FlowCache:
    """A folder of flow files that several processes use at once.

    A key holds both frames, bit for bit, and the settings: a changed picture or setting is another key. Files appear
    under their name when they are whole, and a damaged one, which its checksum shows, is computed anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @staticmethod
    def open(folder: Path | None) -> "FlowCache | None":
        """The cache in a folder, made if it is missing. `UserError` if nothing can be written there."""
        if folder is None:
            return None
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b"0")
            _clear(folder)
        except OSError as error:
            raise UserError(
                f"data.neighbour.cache: {folder}: cannot be written ({error.strerror}): choose another folder"
            ) from None
        return FlowCache(folder)

    def key(self, settings: str, now: NDArray[np.uint8], then: NDArray[np.uint8]) -> str:
        """The name of the flow between two frames of one size by these settings."""
        digest = hashlib.blake2b(f"{_VERSION} {settings} {now.shape}".encode(), digest_size=16)
        digest.update(np.ascontiguousarray(now).data)
        digest.update(np.ascontiguousarray(then).data)
        return digest.hexdigest()

    def load(self, key: str) -> Flow | None:
        """The flow that was stored, bit for bit; None if there is none, or a damaged one."""
        try:
            # np.load leaves a file of its own opening open if it is damaged.
            with self._path(key).open("rb") as opened, np.load(opened) as file:
                return Flow(file["displacement"], file["visible"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def store(self, key: str, flow: Flow) -> None:
        """Write a flow, whole or not at all; on a full disk it is computed again the next time."""
        path = self._path(key)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        try:
            path.parent.mkdir(exist_ok=True)
            with temporary.open("wb") as file:
                np.savez(file, displacement=flow.displacement, visible=flow.visible)
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.npz"


def _clear(folder: Path) -> None:
    """Remove what killed processes have left half-written."""
    for temporary in folder.glob("*/*.tmp"):
        with contextlib.suppress(FileNotFoundError):  # its process may just have finished it
            if time.time() - temporary.stat().st_mtime > _ABANDONED_S:
                temporary.unlink()
