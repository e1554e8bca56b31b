"""The bundle: a folder with a model, and a manifest that says everything needed to run and to trust it.

Imports no torch: this module is all that serving knows of training.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from train.errors import UserError

Channel = Annotated[int, Field(ge=0, le=255)]

MANIFEST = "manifest.json"
SCHEMA_VERSION = 1


class BundleError(UserError):
    """The folder is no bundle, or its files are not the ones its manifest describes."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputSpec(_Record):
    """What the graph takes: uint8 ``(N, height, width, 3)`` RGB. Normalisation is inside the graph."""

    height: int = Field(gt=0, description="pixels; the size the student was scored at")
    width: int = Field(gt=0, description="pixels; the size the student was scored at")
    multiple: int = Field(default=1, gt=0, description="both sides must be multiples of this")
    dynamic_batch: bool = True
    dynamic_size: bool = True
    name: str = "image"
    layout: Literal["NHWC"] = "NHWC"
    dtype: Literal["uint8"] = "uint8"
    colour: Literal["RGB"] = "RGB"
    mean: list[float] = Field(description="for the record: subtracted inside the graph, in units of 0..255")
    std: list[float] = Field(description="for the record: divided by inside the graph, in units of 0..255")
    resize: str = Field(
        default="area average when no side grows, bilinear otherwise (train/data/resize.py)",
        description="how a picture comes to the network's size",
    )


class OutputSpec(_Record):
    """What the graph gives: uint8 class ids ``(N, height, width)``, and optionally low-resolution logits."""

    name: str = "mask"
    dtype: Literal["uint8"] = "uint8"
    logits: str | None = Field(
        default=None, description="name of the float32 (N, C, h, w) output, where the graph has it"
    )


class FileRecord(_Record):
    """One model file of the bundle."""

    path: str = Field(description="relative to the bundle")
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    sha256: str
    size_bytes: int


class Accuracy(_Record):
    """A student's scores before the export, and the bundle's after it."""

    dataset: str
    split: str
    images: int
    miou_pytorch: float | None = Field(default=None, description="mean IoU, 0..1; absent without labels")
    miou_bundle: float | None = Field(default=None, description="mean IoU, 0..1; absent without labels")
    agreement: float = Field(description="share of pixels with the same class in PyTorch and in the bundle, 0..1")
    max_logits_error: float | None = Field(default=None, description="largest absolute difference of a logit")


class Latency(_Record):
    """A measured time, and what it is the time of."""

    scope: str = Field(description="what was timed, e.g. 'inference, batch 1, 352x480'")
    device: str
    runtime: str
    threads: int
    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float


class Manifest(_Record):
    """Everything a user or a server must know of a bundle. Versioned: readers refuse a newer schema."""

    schema_version: Literal[1] = 1
    name: str
    created: str = Field(description="UTC, ISO 8601")
    classes: list[str]
    palette: list[tuple[Channel, Channel, Channel]] = Field(max_length=256)
    ignore_index: int = 255
    input: InputSpec
    output: OutputSpec = OutputSpec()
    files: dict[str, FileRecord] = Field(description="by role: 'onnx', later 'onnx_int8' and one per TensorRT plan")
    verified: bool = Field(default=False, description="compared with the PyTorch student on real images, and passed")
    accuracy: Accuracy | None = None
    latency: list[Latency] = []
    student: dict[str, Any]
    teacher: dict[str, Any] | None = None
    method: list[dict[str, Any]] = Field(default=[], description="the losses of the training, resolved")
    dataset: str = ""
    licence_note: str = ""
    versions: dict[str, str] = Field(default={}, description="of the libraries the files were made with")


@dataclass(frozen=True)
class Bundle:
    """A manifest and the folder it stands in."""

    root: Path
    manifest: Manifest

    def file(self, role: str) -> Path:
        """The model file of this role; `BundleError` if the bundle has none."""
        if role not in self.manifest.files:
            have = ", ".join(sorted(self.manifest.files)) or "none"
            raise BundleError(f"{self.root}: no '{role}' file in the manifest (it has: {have}): export it first")
        return self.root / self.manifest.files[role].path


def load_bundle(root: Path) -> Bundle:
    """Read a bundle and check the hash of each of its files.

    Raises:
        BundleError: no folder, no or an invalid manifest, a missing file, or one whose content was changed.
    """
    bundle = Bundle(root, _read_manifest(root))
    for record in bundle.manifest.files.values():
        _check_file(root, record)
    return bundle


def save_manifest(root: Path, manifest: Manifest) -> None:
    """Write ``manifest.json`` atomically."""
    text = manifest.model_dump_json(indent=2) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=root, prefix=".manifest-", delete=False, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)
    Path(file.name).replace(root / MANIFEST)


def file_record(path: Path, precision: Literal["fp32", "fp16", "int8"] = "fp32") -> FileRecord:
    """The manifest's entry for a model file that stands in the bundle's folder."""
    return FileRecord(path=path.name, precision=precision, sha256=sha256(path), size_bytes=path.stat().st_size)


def sha256(path: Path) -> str:
    """Hex digest of a file's content."""
    with path.open("rb") as file:
        return _digest(file)


def _digest(file: Any) -> str:
    digest = hashlib.sha256()
    for block in iter(lambda: file.read(1 << 20), b""):
        digest.update(block)
    return digest.hexdigest()


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
        return Manifest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{path}: {where}: {first['msg']}: export the bundle again") from None


def _check_file(root: Path, record: FileRecord) -> None:
    path = root / record.path
    if not path.resolve().is_relative_to(root.resolve()):
        raise BundleError(f"{root / MANIFEST}: the file '{record.path}' lies outside the bundle: export it again")
    if not path.is_file():
        raise BundleError(f"{path}: missing, but the manifest lists it: export the bundle again")
    if sha256(path) != record.sha256:
        raise BundleError(f"{path}: its content is not what the manifest's sha256 says: export the bundle again")
