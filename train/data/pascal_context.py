"""PASCAL Context with its 59 most frequent classes, as PNG labels (no torch).

    VOCdevkit/VOC2010/JPEGImages/2008_000002.jpg
    VOCdevkit/VOC2010/SegmentationClassContext/2008_000002.png   0 = none of the 59, else 1 + class
    VOCdevkit/VOC2010/ImageSets/SegmentationContext/{train,val}.txt

These are the files that MMSegmentation's converter makes of the published annotations, classes in alphabetical order.
For labels that count from 0 and hold 255 for none, set ``data.label_map`` to ``{"0": 0}``.

Mottaghi et al., "The Role of Context for Object Detection and Semantic Segmentation in the Wild",
https://doi.org/10.1109/CVPR.2014.119; names and ids: https://github.com/open-mmlab/mmsegmentation,
mmseg/datasets/pascal_context.py
"""

from pathlib import Path

from train.data.paired_files import PairedFiles
from train.data.palette import IGNORE_INDEX, default_palette
from train.data.published import find_base, listed_pairs
from train.data.spec import DatasetSpec

CLASSES = [
    "aeroplane", "bag", "bed", "bedclothes", "bench", "bicycle", "bird", "boat", "book", "bottle", "building", "bus",
    "cabinet", "car", "cat", "ceiling", "chair", "cloth", "computer", "cow", "cup", "curtain", "dog", "door", "fence",
    "floor", "flower", "food", "grass", "ground", "horse", "keyboard", "light", "motorbike", "mountain", "mouse",
    "person", "plate", "platform", "pottedplant", "road", "rock", "sheep", "shelves", "sidewalk", "sign", "sky", "snow",
    "sofa", "table", "track", "train", "tree", "truck", "tvmonitor", "wall", "water", "window", "wood",
]  # fmt: skip
LABEL_MAP = {0: IGNORE_INDEX} | {index + 1: index for index in range(len(CLASSES))}


def open_pascal_context(spec: DatasetSpec, root: Path, split: str) -> PairedFiles:
    """The pairs in the list of one split; colours are those of PASCAL VOC's colour map."""
    base = find_base("pascal_context", root, "VOCdevkit/VOC2010", "ImageSets/SegmentationContext")
    listing = base / "ImageSets" / "SegmentationContext" / f"{split}.txt"
    pairs = listed_pairs(listing, base / "JPEGImages", base / "SegmentationClassContext")
    classes = spec.classes or CLASSES
    palette = spec.palette or default_palette(len(classes))
    return PairedFiles(f"pascal_context/{split}", pairs, classes, palette, spec.label_map or LABEL_MAP)
