"""The bundle: a folder with model files, each proven on its own, and a manifest that says what they are.

Imports no torch: this module and `export.manifest` are all that serving knows of training.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from export.lock import locked
from export.manifest import SCHEMA_VERSION, FileRecord, Manifest
from train.errors import UserError

MANIFEST = "manifest.json"

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class BundleError(UserError):
    """The folder is no bundle, or its files are not the ones its manifest describes."""


@dataclass(frozen=True)
class Bundle:
    """A manifest and the folder it stands in."""

    root: Path
    manifest: Manifest

    def record(self, role: str) -> FileRecord:
        """What the manifest says of this role; `BundleError` if the bundle has none."""
        if role not in self.manifest.files:
            have = ", ".join(sorted(self.manifest.files)) or "none"
            raise BundleError(f"{self.root}: no '{role}' file in the manifest (it has: {have}): export it first")
        return self.manifest.files[role]

    def file(self, role: str) -> Path:
        """The model file of this role; `BundleError` if the bundle has none."""
        return self.root / self.record(role).path


def load_bundle(root: Path) -> Bundle:
    """Read a bundle and check the hash of each of its files.

    Raises:
        BundleError: no folder, no or an invalid manifest, one changed by hand, a missing file, or one whose content
            was changed.
    """
    bundle = Bundle(root, _read_manifest(root))
    for record in bundle.manifest.files.values():
        for name, digest in {record.path: record.sha256, **record.parts}.items():
            _check_file(root, name, digest)
    return bundle


def save_manifest(root: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` atomically, sealed. To a bundle that others may write to: `add_file`, `update_file`."""
    data = manifest.model_dump(mode="json")
    text = json.dumps({**data, "seal": _seal(data)}, indent=2, ensure_ascii=False) + "\n"
    with new_file(root / MANIFEST) as path:
        path.write_text(text, encoding="utf-8")
        _sync(path)
        path.replace(root / MANIFEST)


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A path of the same name in a folder of its own beside ``target``, which is gone at the end.

    Raises:
        BundleError: the disk is full, or the file would be larger than the system allows.
    """
    # One name for every process: what a killed one left behind is cleared by the next write of the same target.
    folder = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(folder, ignore_errors=True)
    try:
        with room_for(target):
            folder.mkdir()
            yield folder / target.name
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def room_for(target: Path) -> Iterator[None]:
    """Say in one line that the disk is full, or that a file would be larger than the system allows."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        reason = os.strerror(error.errno or 0)
        raise BundleError(f"{target}: cannot be written ({reason}): make room and do it again") from None


def add_file(root: Path, role: str, made: Path, record: FileRecord) -> Manifest:
    """Move the file ``made``, and its parts beside it, into the bundle and enter it, in place of an earlier one.

    Two processes may do so at once: one waits for the other, and no entry is lost.

    Raises:
        BundleError: the bundle is gone, or does not hold any more what the file was made from.
    """
    with locked(root, "manifest"):
        manifest = _read_manifest(root)
        sources = {file.sha256 for file in manifest.files.values()} | {manifest.student.get("weights_sha256")}
        if record.source_sha256 and record.source_sha256 not in sources:
            raise BundleError(f"{root}: what {record.path} was made from is not in it any more: make it again")
        for source, name in [*((made.with_name(part), part) for part in record.parts), (made, record.path)]:
            _sync(source)
            source.replace(root / name)
        manifest = manifest.model_copy(update={"files": {**manifest.files, role: record}})
        save_manifest(root, manifest)
    return manifest


def update_file(root: Path, role: str, sha256: str, change: Callable[[FileRecord], FileRecord]) -> Manifest:
    """Change what the manifest says of a file, e.g. that it is verified; ``sha256`` is of the content that is meant.

    Raises:
        BundleError: the bundle is gone, or has another file of this role by now.
    """
    with locked(root, "manifest"):
        bundle = Bundle(root, _read_manifest(root))
        record = bundle.record(role)
        if record.sha256 != sha256:
            raise BundleError(f"{root / record.path}: made anew by another program meanwhile: do it again")
        manifest = bundle.manifest.model_copy(update={"files": {**bundle.manifest.files, role: change(record)}})
        save_manifest(root, manifest)
    return manifest


def file_record(path: Path, **fields: Any) -> FileRecord:
    """The manifest's entry for a model file; ``fields`` are the rest of `FileRecord`'s."""
    return FileRecord(path=path.name, sha256=sha256(path), size_bytes=path.stat().st_size, **fields)


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def _seal(data: dict[str, Any]) -> str:
    """Of what stands in the file, whatever fields the reader knows."""
    rest = {key: value for key, value in data.items() if key != "seal"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _read_manifest(root: Path) -> Manifest:
    path = root / MANIFEST
    if not path.is_file():
        raise BundleError(f"{root}: no bundle here ({MANIFEST} is missing): make one with `python -m export.onnx RUN`")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise BundleError(f"{path}: not valid JSON ({error}): export the bundle again") from None
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SCHEMA_VERSION:
        raise BundleError(f"{path}: schema_version {version!r}, this program reads {SCHEMA_VERSION}: export it again")
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{path}: {where}: {first['msg']}: export the bundle again") from None
    if manifest.seal != _seal(data):
        raise BundleError(f"{path}: changed by hand since it was written, nothing in it is proven: export it again")
    return manifest


def _check_file(root: Path, name: str, digest: str) -> None:
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise BundleError(f"{root / MANIFEST}: the file '{name}' lies outside the bundle: export it again")
    if not path.is_file():
        raise BundleError(f"{path}: missing, but the manifest lists it: export the bundle again")
    if sha256(path) != digest:
        raise BundleError(f"{path}: its content is not what the manifest's sha256 says: export the bundle again")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
