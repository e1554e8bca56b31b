"""One look at all frames of a source: which can be read, and what each is recognised by (no torch).

What was seen is kept in the user's cache folder (``$XDG_CACHE_HOME/segdistill``, ``~/.cache/segdistill``), so that the
next command need not decode a video again. It counts as long as the files are of the same size and time.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from train.data.frame_folder import FrameFolder
from train.data.likeness import DIGEST_BYTES, THUMBNAIL, Mark, mark
from train.data.video import VideoFile
from train.durable import atomic_path
from train.errors import UserError
from train.progress import progress

_FORMAT = 1
"""Goes up when what is kept changes."""

_GIVEN_UP_AFTER = 20
"""Broken frames one after the other: the rest of the video is not there either."""


@dataclass(frozen=True)
class FrameScan:
    """What was found in a source."""

    marks: dict[int, Mark]
    """Of the frames that can be read, by number."""
    broken: list[str]
    """Why others cannot, a line each."""


def scan(source: VideoFile | FrameFolder, every: int) -> FrameScan:
    """Look at each ``every``-th frame; shows how far it is."""
    path = _kept_in() / f"{_key(source, every)}.npz"
    known = _load(path)
    if known is None:
        known = _look(source, every)
        _save(path, known)
    return known


def _look(source: VideoFile | FrameFolder, every: int) -> FrameScan:
    found = FrameScan({}, [])
    numbers, in_a_row = range(0, len(source), every), 0
    for number in progress(iter(numbers), f"look at {source.path.name}", len(numbers)):
        if in_a_row < _GIVEN_UP_AFTER:
            try:
                found.marks[number] = mark(source.read(number))
                in_a_row = 0
                continue
            except UserError as error:
                in_a_row += isinstance(source, VideoFile)
                found.broken.append(str(error))
        else:
            found.broken.append(f"{source.path}: frame {number} of {len(source)} was not tried")
    return found


def _kept_in() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "segdistill" / "frames"


def _key(source: VideoFile | FrameFolder, every: int) -> str:
    found = hashlib.blake2b(f"{_FORMAT} {every} {source.path.resolve()}".encode(), digest_size=12)
    for path in source.files:
        state = path.stat()
        found.update(f"{path.name}\0{state.st_size}\0{state.st_mtime_ns}\0".encode())
    return found.hexdigest()


def _load(path: Path) -> FrameScan | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            digests, thumbnails = kept["digests"], kept["thumbnails"]
            marks = [Mark(digest.tobytes(), pixels) for digest, pixels in zip(digests, thumbnails, strict=True)]
            numbers = kept["numbers"].tolist()
            return FrameScan(dict(zip(numbers, marks, strict=True)), json.loads(str(kept["broken"])))
    except (OSError, KeyError, ValueError, EOFError, BadZipFile):
        return None


def _save(path: Path, found: FrameScan) -> None:
    marks = list(found.marks.values())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as target, target.open("wb") as file:
            np.savez(
                file,
                numbers=np.array(list(found.marks), np.int64),
                digests=np.frombuffer(b"".join(one.digest for one in marks), np.uint8).reshape(-1, DIGEST_BYTES),
                thumbnails=np.array([one.thumbnail for one in marks], np.uint8).reshape(
                    -1, THUMBNAIL[0] * THUMBNAIL[1]
                ),
                broken=np.array(json.dumps(found.broken)),
            )
    except OSError:
        return  # looked at again the next time
