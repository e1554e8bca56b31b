"""What a teacher says of crops that come again, kept on disk."""

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from train.durable import writing
from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.models.taps import Tap, Taps
from train.models.weights_digest import feed_weights
from train.teachers.cache_settings import CacheSettings
from train.teachers.contract import TeacherSettings
from train.teachers.packing import pack, unpack
from train.teachers.wrapper import Wrapper

_LOGITS: frozenset[Tap] = frozenset({"logits"})
_VERSION = "3"
"""Of the files' form; another one makes other keys."""
_MIB = 2**20
_ADVICE = "make room, or choose another folder with --teacher.cache.folder"


class TeacherCache(Wrapper):
    """Asks the teacher only about crops that it has not been asked about, by this run or another one.

    A map is found by its tap and the crop's pixels, bit for bit, so that trainings which want other taps share those
    that both want. What is given is what was kept, the first
    time too, so that a run sees the same with an empty cache and a full one. Processes may share a folder: files appear
    under their name when they are whole, and a damaged one, which its checksum shows, is made anew.

    Args:
        network: the teacher, on its device.
        folder: of just this teacher: its name holds all that its outputs depend on.
        settings: how they are kept.
    """

    def __init__(self, network: SegmentationNetwork, folder: Path, settings: CacheSettings) -> None:
        super().__init__(network)
        self._folder, self._settings = folder, settings
        self._asked = self._found = 0
        self._problem = ""
        sizes = [path.stat().st_size for path in folder.glob("*/*.maps")]
        self._maps, self._bytes = len(sizes), sum(sizes)

    def forward(self, image: Tensor, taps: frozenset[Tap] = _LOGITS) -> Taps:
        """See `SegmentationNetwork`. Only the maps at ``taps`` are given."""
        if image.dtype != torch.uint8:
            shown: Taps = self.network(image, taps)
            return shown
        maps = [{tap: self._kept(crop, tap) for tap in taps} for crop in image]
        absent = [frozenset(tap for tap, found in of_crop.items() if found is None) for of_crop in maps]
        self._asked, self._found = self._asked + len(maps), self._found + absent.count(frozenset())
        for wanted in sorted(set(absent) - {frozenset()}, key=sorted):
            crops = [index for index, missing in enumerate(absent) if missing == wanted]
            asked: Taps = self.network(image[crops], wanted)
            for number, index in enumerate(crops):
                maps[index] |= {tap: self._keep(image[index], tap, asked[tap][number]) for tap in wanted}
        stacked = {tap: torch.stack([cast(Tensor, of_crop[tap]) for of_crop in maps]) for tap in sorted(taps)}
        return Taps({tap: found.to(image.device) for tap, found in stacked.items()})

    def line(self) -> str:
        """How large it is, and what it was good for since the last line."""
        rate = self._found / max(1, self._asked)
        self._asked, self._found, asked = 0, 0, self._asked
        problem = f"; not written: {self._problem}" if self._problem else ""
        return (
            f"teacher cache: {rate:.0%} of {asked} crops were there; it holds {self._maps} maps, "
            f"{self._bytes / _MIB:.1f} MiB{problem}"
        )

    def _kept(self, crop: Tensor, tap: Tap) -> Tensor | None:
        content = _read(self._path(crop, tap))
        found = None if content is None else unpack(content)
        return None if found is None else found[tap]

    def _keep(self, crop: Tensor, tap: Tap, found: Tensor) -> Tensor:
        """Write a map, and give it as it will be read."""
        content = pack({tap: found}, self._settings)
        self._write(self._path(crop, tap), content)
        return (unpack(content) or {})[tap]

    def _path(self, crop: Tensor, tap: Tap) -> Path:
        digest = hashlib.blake2b(f"{tuple(crop.shape)} {tap}".encode(), digest_size=16)
        digest.update(crop.contiguous().cpu().numpy().data)
        key = digest.hexdigest()
        return self._folder / key[:2] / f"{key}.maps"

    def _write(self, path: Path, content: bytes) -> None:
        """Whole or not at all; on a full disk the teacher is asked again the next time."""
        try:
            path.parent.mkdir(exist_ok=True)
            _write_whole(path, content)
        except OSError as error:
            self._problem = error.strerror or str(error)
        else:
            self._maps, self._bytes = self._maps + 1, self._bytes + len(content)


def open_cache(
    network: SegmentationNetwork, teacher: TeacherSettings, settings: CacheSettings, classes: list[str], arithmetic: str
) -> TeacherCache:
    """The cache of a teacher.

    Args:
        network: the teacher, on its device.
        teacher: what it was loaded by.
        settings: of the cache.
        classes: of the data.
        arithmetic: of its forward pass.

    Raises:
        UserError: nothing can be written there.
    """
    meaning = teacher.model_dump(mode="json", exclude={"cache"})
    about = {
        "teacher": meaning,
        "classes": classes,
        "arithmetic": arithmetic,
        "dtype": settings.dtype,
        "top_k": settings.top_k,
        "version": _VERSION,
    }
    digest = hashlib.blake2b(json.dumps(about, sort_keys=True).encode(), digest_size=8)
    feed_weights(digest, network)
    folder = settings.folder / digest.hexdigest()
    with writing(folder, _ADVICE):
        folder.mkdir(parents=True, exist_ok=True)
        _write_whole(folder / "about.json", f"{json.dumps(about, indent=2)}\n".encode())
    return TeacherCache(network, folder, settings)


def check_cache(settings: CacheSettings | None, variants: int) -> None:
    """`UserError` where every crop is a new one, or nothing can be written."""
    if settings is None:
        return
    if not variants:
        raise UserError(
            "teacher.cache: every crop is a new one, so nothing would be found again: say with --data.augment.variants "
            "how many crops of an image there are, or train without teacher.cache"
        )
    with writing(settings.folder, _ADVICE):
        settings.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.folder) as file:
            file.write(b"0")


def _write_whole(path: Path, content: bytes) -> None:
    """Under a name of its own first, for other processes may be writing the same; a crash costs no more than a crop."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
