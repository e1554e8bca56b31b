from pathlib import Path

import pytest

from tests.train.data.tiny_files import write_image, write_label
from train.data.coco_stuff import CLASSES, LABEL_MAP
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.spec import DatasetSpec
from train.errors import UserError

STEM = "000000000009"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Both archives unpacked into one folder."""
    for number, folder in enumerate(("train2017", "val2017")):
        write_image(tmp_path / folder / f"{STEM}.jpg", number)
        write_label(tmp_path / "stuffthingmaps" / folder / f"{STEM}.png", [0, 12, 91, 181, 255])
    return tmp_path


def open_split(root: Path, split: str = "train") -> Dataset:
    return open_dataset(DatasetSpec(layout="coco_stuff", root=root), split)


def names(dataset: Dataset) -> list[str]:
    ids = [int(row[0]) for row in dataset[0].label[:5]]
    return ["ignored" if label == IGNORE_INDEX else dataset.classes[label] for label in ids]


@pytest.mark.parametrize("split", ["train", "val2017"])
def test_published_ids_become_contiguous(root: Path, split: str) -> None:
    assert names(open_split(root, split)) == ["person", "stop sign", "banner", "wood", "ignored"]


def test_the_other_usual_folders(root: Path) -> None:
    (root / "images").mkdir()
    (root / "train2017").rename(root / "images" / "train2017")
    (root / "stuffthingmaps").rename(root / "annotations")
    assert names(open_split(root))[3] == "wood"


def test_facts_agree_with_each_other() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == 171
    assert sorted(LABEL_MAP) == list(range(182))
    assert sorted(label for label in LABEL_MAP.values() if label != IGNORE_INDEX) == list(range(171))
    # of labels.txt, whose ids are one more: 91 things, eleven of them unused, then 91 kinds of stuff
    published = {44: "bottle", 46: "wine glass", 84: "book", 90: "toothbrush", 92: "banner", 124: "grass", 149: "road"}
    assert {label: CLASSES[LABEL_MAP[label - 1]] for label in published} == published


def test_what_is_missing_is_named(root: Path) -> None:
    (root / "stuffthingmaps/val2017" / f"{STEM}.png").unlink()
    with pytest.raises(UserError, match=r"val2017/000000000009\.png: no such label for the image"):
        open_split(root, "val")
    (root / "stuffthingmaps").rename(root / "maps")
    with pytest.raises(UserError, match=r"stuffthingmaps/train2017: no such folder: unpack the labels"):
        open_split(root)
    with pytest.raises(UserError, match=r"test2017: no such folder"):
        open_split(root, "test2017")
