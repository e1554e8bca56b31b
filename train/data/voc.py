"""PASCAL VOC 2012, with or without the augmented list, as it unpacks (no torch).

    VOCdevkit/VOC2012/JPEGImages/2007_000032.jpg
    VOCdevkit/VOC2012/SegmentationClass/2007_000032.png      palette PNG, 255 at the borders
    VOCdevkit/VOC2012/SegmentationClassAug/2008_000002.png   also what SBD adds
    VOCdevkit/VOC2012/ImageSets/Segmentation/{train,val,trainval,train_aug}.txt

A split is a list. One whose name ends in ``aug`` (``train_aug``, ``trainaug``) takes its labels from
``SegmentationClassAug``.

Everingham et al., "The PASCAL Visual Object Classes (VOC) Challenge", https://doi.org/10.1007/s11263-009-0275-4;
Hariharan et al., "Semantic Contours from Inverse Detectors" (SBD), https://doi.org/10.1109/ICCV.2011.6126343
"""

from pathlib import Path

from train.data.paired_files import PairedFiles
from train.data.palette import default_palette
from train.data.published import find_base, listed_pairs
from train.data.spec import DatasetSpec

CLASSES = [
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
]  # fmt: skip
PALETTE = [(0, 0, 0), *default_palette(20)]


def open_voc(spec: DatasetSpec, root: Path, split: str) -> PairedFiles:
    """The pairs in the list of one split."""
    base = find_base("voc", root, "VOCdevkit/VOC2012", "ImageSets/Segmentation")
    labels = "SegmentationClassAug" if split.endswith("aug") else "SegmentationClass"
    listing = base / "ImageSets" / "Segmentation" / f"{split}.txt"
    pairs = listed_pairs(listing, base / "JPEGImages", base / labels)
    return PairedFiles(f"voc/{split}", pairs, spec.classes or CLASSES, spec.palette or PALETTE, spec.label_map)
