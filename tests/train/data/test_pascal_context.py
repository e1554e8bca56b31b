from pathlib import Path

import pytest

from tests.train.data.tiny_files import write_image, write_label, write_list
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.pascal_context import CLASSES
from train.data.spec import DatasetSpec
from train.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    base = tmp_path / "VOCdevkit" / "VOC2010"
    write_image(base / "JPEGImages" / "2008_000002.jpg")
    write_label(base / "SegmentationClassContext" / "2008_000002.png", [0, 1, 59])
    write_list(base / "ImageSets" / "SegmentationContext" / "train.txt", "2008_000002")
    return tmp_path


def open_split(root: Path, split: str = "train", **changes: object) -> Dataset:
    return open_dataset(DatasetSpec.model_validate({"layout": "pascal_context", "root": root, **changes}), split)


def rows(dataset: Dataset) -> list[int]:
    return [int(row[0]) for row in dataset[0].label[:3]]


def test_background_is_ignored_and_classes_count_from_zero(root: Path) -> None:
    dataset = open_split(root)
    assert rows(dataset) == [IGNORE_INDEX, 0, 58]
    assert len(dataset.classes) == len(set(dataset.classes)) == len(set(dataset.palette)) == 59
    assert sorted(CLASSES) == CLASSES
    assert (CLASSES[0], CLASSES[58]) == ("aeroplane", "wood")


def test_labels_that_count_from_zero_already(root: Path) -> None:
    write_label(root / "VOCdevkit/VOC2010/SegmentationClassContext/2008_000002.png", [255, 0, 58])
    assert rows(open_split(root, label_map={0: 0})) == [IGNORE_INDEX, 0, 58]


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(UserError, match=r"val\.txt: no such list: choose a split of train"):
        open_split(root, "val")
    with pytest.raises(UserError, match="not the layout 'pascal_context': ImageSets/SegmentationContext/ is neither"):
        open_split(root / "VOCdevkit")
