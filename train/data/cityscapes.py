"""Cityscapes in its published folders, with the 19 classes of the benchmark (no torch).

    leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png
    gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png            or …_labelTrainIds.png, of cityscapesscripts
    gtCoarse/train_extra/augsburg/augsburg_000000_000000_gtCoarse_labelIds.png

Splits: ``train``, ``val``, ``test`` with fine labels; ``train_extra``, ``train_coarse``, ``val_coarse`` with coarse.

Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", https://arxiv.org/abs/1604.01685; ids,
names and colours: https://github.com/mcordts/cityscapesScripts, helpers/labels.py
"""

from pathlib import Path

from train.data.paired_files import PairedFiles
from train.data.palette import IGNORE_INDEX, Colour
from train.data.published import Pair, check_folder, find_base
from train.data.spec import DatasetSpec
from train.errors import UserError

CLASSES = [
    "road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
]  # fmt: skip
PALETTE: list[Colour] = [
    (128, 64, 128), (244, 35, 232), (70, 70, 70), (102, 102, 156), (190, 153, 153), (153, 153, 153), (250, 170, 30),
    (220, 220, 0), (107, 142, 35), (152, 251, 152), (70, 130, 180), (220, 20, 60), (255, 0, 0), (0, 0, 142),
    (0, 0, 70), (0, 60, 100), (0, 80, 100), (0, 0, 230), (119, 11, 32),
]  # fmt: skip
LABEL_IDS = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
"""What each class is called in labelIds files; the other ids, 0 to 33, are not scored."""
LABEL_MAP = dict.fromkeys(range(34), IGNORE_INDEX) | {label: index for index, label in enumerate(LABEL_IDS)}


def open_cityscapes(spec: DatasetSpec, root: Path, split: str) -> PairedFiles:
    """The pairs of one split. The published labelIds are read where they are, else labelTrainIds, which need no map."""
    base = find_base("cityscapes", root, "cityscapes", "leftImg8bit")
    coarse = split == "train_extra" or split.endswith("_coarse")
    annotation, folder = "gtCoarse" if coarse else "gtFine", split.removesuffix("_coarse")
    labels = base / annotation / folder
    check_folder(labels, f"unpack {annotation} beside leftImg8bit, or choose a split whose labels are there")
    kind = _label_kind(labels)
    # A run's config holds the map that it was trained with; it must not be applied to files that are mapped already.
    mapped = kind == "labelTrainIds" and spec.label_map in ({}, LABEL_MAP)
    return PairedFiles(
        f"cityscapes/{split}",
        _pairs(base / "leftImg8bit" / folder, labels, f"_{annotation}_{kind}.png"),
        spec.classes or CLASSES,
        spec.palette or PALETTE,
        {} if mapped else spec.label_map or LABEL_MAP,
    )


def _label_kind(labels: Path) -> str:
    for kind in ("labelIds", "labelTrainIds"):
        if next(labels.glob(f"*/*_{kind}.png"), None) is not None:
            return kind
    raise UserError(f"{labels}: no <city>/*_labelIds.png or *_labelTrainIds.png here: unpack the label archive whole")


def _pairs(images: Path, labels: Path, ending: str) -> list[Pair]:
    check_folder(images, "unpack leftImg8bit there")
    found = sorted(images.glob("*/*_leftImg8bit.png"))
    if not found:
        raise UserError(f"{images}: no <city>/*_leftImg8bit.png here: unpack leftImg8bit there")
    return [(image, labels / image.parent.name / (image.stem.removesuffix("_leftImg8bit") + ending)) for image in found]
