from pathlib import Path

import numpy as np
import pytest

from train.data.camvid import CLASSES
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.spec import DatasetSpec
from train.errors import UserError

REAL = Path(__file__).parents[4] / "shared" / "data" / "camvid"


def spec(root: Path, **changes: object) -> DatasetSpec:
    return DatasetSpec.model_validate({"layout": "camvid", "root": root, **changes})


def test_lists_with_segnets_own_paths_are_read_in_order(camvid_root: Path) -> None:
    dataset = open_dataset(spec(camvid_root), "train")
    assert dataset.classes == CLASSES
    assert len(dataset.palette) == len(CLASSES)
    assert [dataset[index].name for index in range(len(dataset))] == ["0", "1", "2", "3", "4", "5"]


def test_void_is_ignored(camvid_root: Path) -> None:
    image, label, *_ = open_dataset(spec(camvid_root), "val")[0]
    assert image.shape == (64, 96, 3)
    assert (label[:4] == IGNORE_INDEX).all()
    assert label[4:].max() < len(CLASSES)


def test_label_map_joins_classes(camvid_root: Path) -> None:
    joined = {number: number % 2 for number in range(2, 11)} | {11: IGNORE_INDEX}
    config = spec(camvid_root, classes=["even", "odd"], palette=[(0, 0, 0), (9, 9, 9)], label_map=joined)
    plain, mapped = open_dataset(spec(camvid_root), "val")[0].label, open_dataset(config, "val")[0].label
    valid = plain != IGNORE_INDEX
    assert np.array_equal(mapped[valid], plain[valid] % 2)
    assert (mapped[~valid] == IGNORE_INDEX).all()


@pytest.mark.parametrize(
    ("listing", "reason"), [("", "empty"), ("one two three\n", "each line must be"), ("x.png y.png\n", "x.png: listed")]
)
def test_broken_list_names_the_file(new_camvid: Path, listing: str, reason: str) -> None:
    (new_camvid / "train.txt").write_text(listing, encoding="utf-8")
    with pytest.raises(UserError, match=reason) as caught:
        open_dataset(spec(new_camvid), "train")
    assert str(new_camvid) in str(caught.value)


def test_missing_split_names_the_list(camvid_root: Path) -> None:
    with pytest.raises(UserError, match=r"holdout\.txt: no such list"):
        open_dataset(spec(camvid_root), "holdout")


@pytest.mark.skipif(not REAL.is_dir(), reason="CamVid is not in ../shared/data/camvid")
@pytest.mark.parametrize(("split", "images"), [("train", 367), ("val", 101)])
def test_real_camvid_opens(split: str, images: int) -> None:
    dataset = open_dataset(spec(REAL), split)
    image, label, *_ = dataset[0]
    assert len(dataset) == images
    assert image.shape == (360, 480, 3)
    assert set(np.unique(label)) <= {*range(len(CLASSES)), IGNORE_INDEX}
