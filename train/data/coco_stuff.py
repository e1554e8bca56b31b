"""COCO-Stuff of all 164 thousand images, with the pixel maps of things and stuff (no torch).

    train2017/000000000009.jpg                  or images/train2017/…
    stuffthingmaps/train2017/000000000009.png   or annotations/train2017/…; 255 = unlabelled

Caesar et al., "COCO-Stuff: Thing and Stuff Classes in Context", https://arxiv.org/abs/1612.03716; names and ids:
https://github.com/nightrome/cocostuff, labels.txt, whose ids are one more than those in the pixel maps
"""

from pathlib import Path

from train.data.paired_files import PairedFiles
from train.data.palette import IGNORE_INDEX, default_palette
from train.data.published import mirrored_pairs
from train.data.spec import DatasetSpec

CLASSES = [
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator",
    "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush", "banner", "blanket", "branch",
    "bridge", "building-other", "bush", "cabinet", "cage", "cardboard", "carpet", "ceiling-other", "ceiling-tile",
    "cloth", "clothes", "clouds", "counter", "cupboard", "curtain", "desk-stuff", "dirt", "door-stuff", "fence",
    "floor-marble", "floor-other", "floor-stone", "floor-tile", "floor-wood", "flower", "fog", "food-other", "fruit",
    "furniture-other", "grass", "gravel", "ground-other", "hill", "house", "leaves", "light", "mat", "metal",
    "mirror-stuff", "moss", "mountain", "mud", "napkin", "net", "paper", "pavement", "pillow", "plant-other", "plastic",
    "platform", "playingfield", "railing", "railroad", "river", "road", "rock", "roof", "rug", "salad", "sand", "sea",
    "shelf", "sky-other", "skyscraper", "snow", "solid-other", "stairs", "stone", "straw", "structural-other", "table",
    "tent", "textile-other", "towel", "tree", "vegetable", "wall-brick", "wall-concrete", "wall-other", "wall-panel",
    "wall-stone", "wall-tile", "wall-wood", "water-other", "waterdrops", "window-blind", "window-other", "wood",
]  # fmt: skip
UNUSED_IDS = [11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90]
"""Ids of the 182 that were kept for things which nobody outlined in COCO (hat, shoe, door, …): no pixel has them."""
_USED_IDS = [label for label in range(182) if label not in UNUSED_IDS]
LABEL_MAP = dict.fromkeys(UNUSED_IDS, IGNORE_INDEX) | {label: index for index, label in enumerate(_USED_IDS)}

_FOLDERS = {"train": "train2017", "val": "val2017"}


def open_coco_stuff(spec: DatasetSpec, root: Path, split: str) -> PairedFiles:
    """All pairs of ``train`` (train2017) or ``val`` (val2017). No colours are agreed: PASCAL VOC's are used."""
    folder = _FOLDERS.get(split, split)
    images = _first(root / folder, root / "images" / folder)
    labels = _first(root / "stuffthingmaps" / folder, root / "annotations" / folder)
    classes = spec.classes or CLASSES
    palette = spec.palette or default_palette(len(classes))
    pairs = mirrored_pairs(images, labels)
    return PairedFiles(f"coco_stuff/{split}", pairs, classes, palette, spec.label_map or LABEL_MAP)


def _first(published: Path, other: Path) -> Path:
    return other if other.is_dir() and not published.is_dir() else published
