from pathlib import Path

import pytest

from tests.train.data.tiny_files import write_image, write_label
from train.data.ade20k import CLASSES, PALETTE
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.spec import DatasetSpec
from train.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    base = tmp_path / "ADEChallengeData2016"
    for number, frame in enumerate(("training/ADE_train_00000001", "validation/ADE_val_00000001")):
        write_image(base / "images" / f"{frame}.jpg", number)
        write_label(base / "annotations" / f"{frame}.png", [0, 1, 150])
    return tmp_path


def open_split(root: Path, split: str) -> Dataset:
    return open_dataset(DatasetSpec(layout="ade20k", root=root), split)


@pytest.mark.parametrize(("split", "name"), [("train", "ADE_train_00000001"), ("validation", "ADE_val_00000001")])
def test_ids_are_shifted_by_one_and_zero_is_ignored(root: Path, split: str, name: str) -> None:
    sample = open_split(root, split)[0]
    assert sample.name == name
    assert [int(row[0]) for row in sample.label[:3]] == [IGNORE_INDEX, 0, 149]


def test_facts_agree_with_each_other() -> None:
    assert len(CLASSES) == len(PALETTE) == len(set(CLASSES)) == 150
    known = {"wall": (120, 120, 120), "sky": (6, 230, 230), "person": (150, 5, 61), "flag": (92, 0, 255)}
    assert {name: PALETTE[CLASSES.index(name)] for name in known} == known


def test_what_is_missing_is_named(root: Path) -> None:
    base = root / "ADEChallengeData2016"
    (base / "annotations/training/ADE_train_00000001.png").unlink()
    with pytest.raises(UserError, match=r"ADE_train_00000001\.png: no such label for the image"):
        open_split(root, "train")
    (base / "annotations/validation").rename(base / "annotations/val")
    with pytest.raises(UserError, match=r"annotations/validation: no such folder: unpack the labels"):
        open_split(root, "val")
    with pytest.raises(UserError, match=r"images/testing: no such folder"):
        open_split(root, "testing")
    with pytest.raises(UserError, match="not the layout 'ade20k'"):
        open_split(base / "images", "train")
