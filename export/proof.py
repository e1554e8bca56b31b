"""Whether a file of a bundle says what its PyTorch student says: thresholds, verdicts, pictures of the differences."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from export.bundle import BundleError
from export.manifest import MIN_AGREEMENT, Accuracy, FileRecord, Manifest
from export.parity import Difference, Parity, compare
from export.pictures import Pictures
from export.preprocess import postprocess
from export.runner import NotHere, Runner, open_runner
from train.data.palette import Colour
from train.models.network import SegmentationNetwork
from train.pictures import comparison
from train.progress import progress

MAX_MIOU_DROP = {"fp32": 0.0, "fp16": 0.002, "int8": 0.005}
"""Where labels are: with no more mIoU lost than this, less agreement is well. `export.quantize` may record another."""

_WORST = 6
_WORKERS_SLEEP = {"session.intra_op.allow_spinning": "0"}
_RED, _WHITE = (255, 0, 0), (255, 255, 255)
_DARKENED, _GAP = 0.35, 6


@dataclass(frozen=True)
class Verdict:
    """What the comparison of one file came to."""

    role: str
    accuracy: Accuracy | None
    faults: list[str]
    not_here: str = ""
    """Why it could not be compared on this machine."""

    @property
    def passed(self) -> bool:
        return self.accuracy is not None and not self.faults


def prove(
    manifest: Manifest,
    files: Mapping[str, tuple[Path, FileRecord]],
    network: SegmentationNetwork,
    pictures: Pictures,
    worst: Path,
) -> list[Verdict]:
    """Compare model files, by role, with the PyTorch student; the pictures that differ most are saved in ``worst``."""
    runners, reasons = _open(manifest, files)
    parities = {role: Parity(manifest.classes, runner.runtime) for role, runner in runners.items()}
    if runners:
        for differences in progress(compare(network, runners, manifest, pictures), "verify", pictures.count):
            for role, difference in differences.items():
                parities[role].add(difference)
    digest = pictures.digest() if runners else ""
    verdicts = []
    for role, (_, record) in files.items():
        if role in reasons:
            verdicts.append(Verdict(role, None, [], reasons[role]))
            continue
        accuracy = parities[role].accuracy(pictures.source, pictures.split, digest)
        verdicts.append(Verdict(role, accuracy, faults(record, accuracy)))
        _save_pictures(parities[role].worst(_WORST), worst / role, list(manifest.palette))
    return verdicts


def prove_file(
    manifest: Manifest,
    role: str,
    path: Path,
    record: FileRecord,
    network: SegmentationNetwork,
    pictures: Pictures,
    worst: Path,
) -> FileRecord:
    """The record with its proof, for an export that is about to enter the file ``path`` into its bundle.

    Raises:
        BundleError: it is not what PyTorch says.
        NotHere: it cannot be run on this machine.
    """
    (verdict,) = prove(manifest, {role: (path, record)}, network, pictures, worst)
    if verdict.not_here:
        raise NotHere(verdict.not_here)
    if verdict.faults:
        raise disagreement(path.name, verdict, worst)
    return record.model_copy(update={"verified": True, "accuracy": verdict.accuracy})


def faults(record: FileRecord, accuracy: Accuracy) -> list[str]:
    """What is wrong, in words; nothing if the two are the same network for all that a user can see."""
    found = []
    if accuracy.agreement < MIN_AGREEMENT[record.precision] and not _keeps_miou(record, accuracy):
        needed = f"{record.precision} needs {MIN_AGREEMENT[record.precision]}"
        found.append(f"it agrees with PyTorch on {accuracy.agreement:.5f} of the pixels, {needed}")
    if accuracy.not_finite:
        found.append(f"{accuracy.not_finite} of its logits are NaN or infinite")
    if accuracy.deterministic is False:
        found.append("a second run of the same picture gave another answer")
    return found


def differences_folder(root: Path) -> Path:
    """Where the pictures of the files of the bundle ``root`` that differ most are saved: beside it."""
    return root.with_name(f"{root.name}-differences")


def disagreement(name: str, verdict: Verdict, worst: Path) -> BundleError:
    """The error of a file that is not what PyTorch says."""
    return BundleError(f"{name}: {', and '.join(verdict.faults)}: look at the worst pictures in {worst / verdict.role}")


def _keeps_miou(record: FileRecord, accuracy: Accuracy) -> bool:
    if accuracy.miou_pytorch is None or accuracy.miou_bundle is None or record.precision == "fp32":
        return False
    allowed = float(record.options.get("max_drop", 100 * MAX_MIOU_DROP[record.precision])) / 100
    return accuracy.miou_pytorch - accuracy.miou_bundle <= allowed


def _open(manifest: Manifest, files: Mapping[str, tuple[Path, FileRecord]]) -> tuple[dict[str, Runner], dict[str, str]]:
    runners, reasons = {}, {}
    for role, (path, record) in files.items():
        try:
            # PyTorch computes in between, and would share its cores with workers that wait for the next picture.
            waiting = record.model_copy(update={"session": {**record.session, **_WORKERS_SLEEP}})
            runners[role] = open_runner(path, waiting, manifest, torch.get_num_threads())
        except NotHere as error:
            reasons[role] = str(error)
    return runners, reasons


def _save_pictures(differences: list[Difference], folder: Path, palette: list[Colour]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for difference in differences:
        image = difference.picture.image
        size = image.shape[:2]
        sides = (("PyTorch", difference.pytorch.mask), ("file", difference.mask))
        row = comparison(image, [(title, postprocess(mask, size)) for title, mask in sides], palette)
        differs = postprocess((difference.pytorch.mask != difference.mask).astype(np.uint8), size)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{difference.agreement:.5f}_{difference.picture.name}.png"
        Image.fromarray(_beside(row, _difference_map(image, differs))).save(path)


def _difference_map(image: NDArray[np.uint8], differs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image darkened, and red where the two sides differ; single pixels are drawn larger, to be seen."""
    dark = (image * _DARKENED).astype(np.uint8)
    dark[cv2.dilate(differs, np.ones((3, 3), np.uint8)) > 0] = _RED
    return dark


def _beside(row: NDArray[np.uint8], last: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One more picture at the right end of a row that has titles above."""
    title = len(row) - len(last)
    return np.hstack([row, cv2.copyMakeBorder(last, title, 0, _GAP, 0, cv2.BORDER_CONSTANT, value=_WHITE)])
