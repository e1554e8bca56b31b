"""``python -m export.verify BUNDLE``: prove that a bundle says what its PyTorch student says, on real images."""

import argparse
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.table import Table

from export.bundle import Bundle, BundleError, load_bundle, update_file
from export.manifest import DEFAULT_ROLE, Accuracy, Manifest
from export.parity import Difference, Parity, Picture, compare
from export.preprocess import postprocess
from export.student import load_student
from train.command import command
from train.data.dataset import Dataset
from train.data.folder import list_images
from train.data.image import read_image
from train.data.label import read_label
from train.data.open import open_dataset
from train.data.palette import Colour
from train.data.spec import DataConfig
from train.models.smp import SmpNetwork
from train.pictures import comparison
from train.progress import progress

MIN_AGREEMENT = {"fp32": 0.999, "fp16": 0.995, "int8": 0.98}
"""Smallest share of pixels with the same class, by precision."""

_WORST = 6


@dataclass(frozen=True)
class Pictures:
    """What to compare on."""

    source: str
    split: str
    count: int
    pictures: Iterator[Picture]


def from_dataset(data: DataConfig) -> Pictures:
    """The val split that the student was chosen on."""
    dataset = open_dataset(data, data.val_split)
    return Pictures(data.layout, data.val_split, len(dataset), _samples(dataset))


def from_folder(images: Path, masks: Path | None, data: DataConfig) -> Pictures:
    """A folder of images, with index or colour masks of the same stems where ``masks`` is given."""
    paths = list_images(images)
    return Pictures(str(images), "all", len(paths), _files(paths, masks, data))


def verify(bundle: Bundle, network: SmpNetwork, pictures: Pictures, worst: Path) -> Accuracy:
    """Compare the bundle with the PyTorch student; the pictures they disagree most on are saved in ``worst``."""
    manifest = bundle.manifest
    parity = Parity(manifest.classes)
    for difference in progress(compare(bundle, network, pictures.pictures), "verify", pictures.count):
        parity.add(difference)
    _save_pictures(parity.worst(_WORST), worst, list(manifest.palette))
    return parity.accuracy(pictures.source, pictures.split)


def agrees(manifest: Manifest, accuracy: Accuracy) -> bool:
    """Whether bundle and student are the same network for all that a user can see."""
    return accuracy.agreement >= MIN_AGREEMENT[manifest.files["onnx"].precision]


def disagreement(name: Path, manifest: Manifest, accuracy: Accuracy, worst: Path) -> BundleError:
    """The error of a bundle that is not what PyTorch says."""
    precision = manifest.files["onnx"].precision
    return BundleError(
        f"{name}: bundle and PyTorch agree on {accuracy.agreement:.5f} of the pixels, {precision} needs "
        f"{MIN_AGREEMENT[precision]}: look at the worst pictures in {worst}"
    )


def accuracy_table(accuracy: Accuracy) -> Table:
    """What was measured, for people."""
    table = Table(title=f"verified on {accuracy.dataset}, {accuracy.split}", title_justify="left")
    for column in ("images", "agreement", "largest logits error", "mIoU PyTorch", "mIoU bundle"):
        table.add_column(column, justify="right")
    miou = ["no labels" if v is None else f"{v:.4f}" for v in (accuracy.miou_pytorch, accuracy.miou_bundle)]
    table.add_row(str(accuracy.images), f"{accuracy.agreement:.7f}", f"{accuracy.max_logits_error:.2e}", *miou)
    return table


def main() -> None:
    options = _options()
    bundle = load_bundle(options.bundle)
    trained = load_student(bundle, options.run)
    data = trained.config.data
    pictures = from_folder(options.images, options.masks, data) if options.images else from_dataset(data)
    worst = options.worst or options.bundle.with_name(f"{options.bundle.name}-differences")
    accuracy = verify(bundle, trained.network, pictures, worst)
    verified = agrees(bundle.manifest, accuracy)
    proof = {"verified": verified, "accuracy": accuracy}
    sha256 = bundle.record(DEFAULT_ROLE).sha256
    update_file(bundle.root, DEFAULT_ROLE, sha256, lambda record: record.model_copy(update=proof))
    Console().print(accuracy_table(accuracy))
    if options.json:
        options.json.write_text(accuracy.model_dump_json(indent=2) + "\n", encoding="utf-8")
    if not verified:
        raise disagreement(bundle.root, bundle.manifest, accuracy, worst)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.verify",
        description="Compare a bundle with the PyTorch student it was exported from, on real images.",
    )
    parser.add_argument("bundle", type=Path, help="folder made by export.onnx")
    parser.add_argument("--images", type=Path, help="folder of images (default: the val split of the run)")
    parser.add_argument("--masks", type=Path, help="folder of label masks with the images' stems (default: no labels)")
    parser.add_argument("--run", type=Path, help="run directory of the student, if it has moved (default: as exported)")
    parser.add_argument("--worst", type=Path, help="folder for pictures of differences (default: BUNDLE-differences)")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args()


def _samples(dataset: Dataset) -> Iterator[Picture]:
    for index in range(len(dataset)):
        sample = dataset[index]
        yield Picture(sample.name, sample.image, sample.label)


def _files(paths: list[Path], masks: Path | None, data: DataConfig) -> Iterator[Picture]:
    for path in paths:
        label = None
        if masks is not None:
            label = read_label(masks / f"{path.stem}.png", len(data.classes), data.label_map, list(data.palette))
        yield Picture(path.stem, read_image(path), label)


def _save_pictures(differences: list[Difference], folder: Path, palette: list[Colour]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for difference in differences:
        image = difference.picture.image
        sides = (("PyTorch", difference.pytorch), ("bundle", difference.bundle))
        masks = [(title, postprocess(mask, image.shape[:2])) for title, mask in sides]
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{difference.agreement:.5f}_{difference.picture.name}.png"
        Image.fromarray(comparison(image, masks, palette)).save(path)


if __name__ == "__main__":
    command(main)
