"""One call of `export.quantize`, its options resolved."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from export.bundle import Bundle
from export.int8.images import CalibrationImage
from export.int8.settings import INT8_ROLE, Settings
from export.manifest import DEFAULT_ROLE
from export.pictures import Pictures
from export.prover import Prover
from export.versions import versions


@dataclass(frozen=True)
class Job:
    """What is quantised, by what, and how."""

    bundle: Bundle
    checkpoint: Path
    """Folder of the student's weights."""
    images: list[CalibrationImage]
    pictures: Pictures
    """What the search is scored on."""
    prover: Prover
    settings: Settings
    calibration: Path
    """Folder that ``images`` were chosen from, by ``seed``."""
    seed: int
    samples: int
    """Timed inferences of each file."""
    threads: int

    @property
    def made_with(self) -> dict[str, Any]:
        """For the record: the same again gives the same file."""
        rule = f"the {len(self.images)} images with the smallest sha256 of '{self.seed}:<name>'"
        hashes = {image.path.name: image.sha256 for image in self.images}
        calibration = {"folder": str(self.calibration), "rule": rule, "images": hashes}
        return {**self.settings.model_dump(mode="json"), "calibration": calibration, "code_sha256": _code_version()}

    @property
    def unchanged(self) -> bool:
        """Whether the bundle has the file that would come out, with the proof that is asked for."""
        record = self.bundle.manifest.files.get(INT8_ROLE)
        if record is None:
            return False
        made_with = {key: value for key, value in record.options.items() if key != "kept_float"}
        source = self.bundle.record(DEFAULT_ROLE).sha256
        same = (made_with, record.source_sha256, record.versions) == (self.made_with, source, versions())
        return same and self.prover.settled(record)


def _code_version() -> str:
    """Hex sha256 of the sources here that decide what the file is."""
    sources = (path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
    return sha256(b"\0".join(sources)).hexdigest()
