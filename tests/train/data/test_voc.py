from pathlib import Path

import pytest

from tests.train.data.tiny_files import write_image, write_label, write_list
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.spec import DatasetSpec
from train.data.voc import CLASSES, PALETTE
from train.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """What the archive unpacks to, with the labels and the list of the augmented set put in."""
    base = tmp_path / "VOCdevkit" / "VOC2012"
    for number, stem in enumerate(("2007_000032", "2007_000033", "2008_000002")):
        write_image(base / "JPEGImages" / f"{stem}.jpg", number)
    for stem in ("2007_000032", "2007_000033"):
        write_label(base / "SegmentationClass" / f"{stem}.png", [0, 1, 255, 20], palette=True)
    for stem in ("2007_000032", "2008_000002"):
        write_label(base / "SegmentationClassAug" / f"{stem}.png", [0, 15, 255])
    lists = base / "ImageSets" / "Segmentation"
    write_list(lists / "train.txt", "2007_000032")
    write_list(lists / "val.txt", "2007_000033")
    write_list(lists / "train_aug.txt", "2007_000032", "2008_000002")
    return tmp_path


def open_split(root: Path, split: str) -> Dataset:
    return open_dataset(DatasetSpec(layout="voc", root=root), split)


def test_lists_and_palette_labels(root: Path) -> None:
    dataset = open_split(root, "train")
    assert (len(dataset), dataset.classes[0], dataset.classes[20]) == (1, "background", "tvmonitor")
    assert [int(row[0]) for row in dataset[0].label[:4]] == [0, 1, IGNORE_INDEX, 20]
    assert [sample.name for sample in open_split(root, "val")] == ["2007_000033"]  # type: ignore[attr-defined]


def test_root_may_be_the_inner_folder(root: Path) -> None:
    assert len(open_split(root / "VOCdevkit" / "VOC2012", "train")) == 1


def test_augmented_list_has_its_own_labels(root: Path) -> None:
    dataset = open_split(root, "train_aug")
    assert [dataset[index].name for index in range(2)] == ["2007_000032", "2008_000002"]
    assert int(dataset[0].label[1, 0]) == CLASSES.index("person")


def test_lists_of_pairs_are_read_too(root: Path) -> None:
    listing = root / "VOCdevkit/VOC2012/ImageSets/Segmentation/trainaug.txt"
    write_list(listing, "/JPEGImages/2008_000002.jpg /SegmentationClassAug/2008_000002.png")
    assert open_split(root, "trainaug")[0].name == "2008_000002"


def test_colours_are_those_of_the_colour_map() -> None:
    assert len(CLASSES) == len(PALETTE) == 21
    assert PALETTE[:3] == [(0, 0, 0), (128, 0, 0), (0, 128, 0)]
    assert PALETTE[CLASSES.index("person")] == (192, 128, 128)


def test_what_is_missing_is_named(root: Path) -> None:
    base = root / "VOCdevkit" / "VOC2012"
    with pytest.raises(UserError, match=r"test\.txt: no such list: choose a split of train, train_aug, val"):
        open_split(root, "test")
    write_list(base / "ImageSets/Segmentation/train.txt")
    with pytest.raises(UserError, match=r"train\.txt: empty: list one stem a line"):
        open_split(root, "train")
    (base / "SegmentationClassAug/2008_000002.png").unlink()
    with pytest.raises(UserError, match=r"2008_000002\.png: no such label for the image .*2008_000002\.jpg"):
        open_split(root, "train_aug")
    (base / "SegmentationClassAug").rename(base / "aug")
    with pytest.raises(UserError, match=r"SegmentationClassAug: no such folder: unpack the labels"):
        open_split(root, "train_aug")
    (base / "JPEGImages/2007_000033.jpg").unlink()
    with pytest.raises(UserError, match=r"2007_000033\.jpg: listed in voc/val, but not there"):
        open_split(root, "val")
    with pytest.raises(UserError, match=r"not the layout 'voc': ImageSets/Segmentation/ is neither here nor in"):
        open_split(base / "ImageSets", "val")
