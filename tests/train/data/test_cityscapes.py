from pathlib import Path

import pytest

from tests.train.data.tiny_files import write_image, write_label
from train.data.cityscapes import CLASSES, LABEL_IDS, LABEL_MAP, PALETTE
from train.data.dataset import Dataset
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX
from train.data.spec import DatasetSpec
from train.errors import UserError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two cities of train, one of val, one of train_extra; labelIds everywhere."""
    places = [("train", "aachen", "Fine"), ("train", "ulm", "Fine"), ("val", "lindau", "Fine")]
    for number, (split, city, kind) in enumerate([*places, ("train_extra", "erlangen", "Coarse")]):
        write_frame(tmp_path, split, city, kind, number, [7, 33, 0, 29, 26])
    write_label(tmp_path / "gtCoarse/train/aachen/aachen_000000_000019_gtCoarse_labelIds.png", [7, 0])
    write_label(tmp_path / "gtCoarse/train/ulm/ulm_000000_000019_gtCoarse_labelIds.png", [8, 0])
    return tmp_path


def write_frame(root: Path, split: str, city: str, kind: str, seed: int, ids: list[int]) -> None:
    frame = f"{split}/{city}/{city}_000000_000019"
    write_image(root / f"leftImg8bit/{frame}_leftImg8bit.png", seed)
    write_label(root / f"gt{kind}/{frame}_gt{kind}_labelIds.png", ids)


def open_split(root: Path, split: str = "train", **changes: object) -> Dataset:
    return open_dataset(DatasetSpec.model_validate({"layout": "cityscapes", "root": root, **changes}), split)


def rows(dataset: Dataset, index: int = 0) -> list[int]:
    return [int(row[0]) for row in dataset[index].label]


def test_label_ids_become_train_ids(root: Path) -> None:
    dataset = open_split(root)
    assert (len(dataset), dataset.classes[0], dataset.classes[-1]) == (2, "road", "bicycle")
    assert rows(dataset) == [0, 18, IGNORE_INDEX, IGNORE_INDEX, 13, 13]
    assert dataset[1].name == "ulm_000000_000019_leftImg8bit"


def test_facts_agree_with_each_other() -> None:
    assert len(CLASSES) == len(PALETTE) == len(LABEL_IDS) == len(set(CLASSES)) == 19
    assert (CLASSES[LABEL_MAP[26]], PALETTE[LABEL_MAP[26]]) == ("car", (0, 0, 142))
    assert (CLASSES[LABEL_MAP[23]], PALETTE[LABEL_MAP[23]]) == ("sky", (70, 130, 180))


def test_ready_train_ids_give_the_same_labels(root: Path) -> None:
    before = open_split(root)
    expected = rows(before)
    for path in (root / "gtFine/train").glob("*/*_labelIds.png"):
        path.unlink()
        write_label(Path(str(path).replace("labelIds", "labelTrainIds")), [0, 18, 255, 255, 13])
    assert rows(open_split(root)) == expected
    # what a run's config.yaml holds after it was trained on labelIds
    assert rows(open_split(root, label_map=before.label_map)) == expected
    assert rows(open_split(root, label_map={13: 255}))[-1] == IGNORE_INDEX


def test_coarse_labels(root: Path) -> None:
    assert rows(open_split(root, "train_extra"))[0] == 0
    coarse = open_split(root, "train_coarse")
    assert (len(coarse), rows(coarse)[:2], rows(coarse, 1)[:2]) == (2, [0, IGNORE_INDEX], [1, IGNORE_INDEX])


def test_unknown_id_is_named(root: Path) -> None:
    write_frame(root, "train", "aachen", "Fine", 0, [7, 34])
    with pytest.raises(UserError, match=r"aachen_000000_000019_gtFine_labelIds\.png: label ids \[34\]"):
        open_split(root)[0]


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(UserError, match=r"gtCoarse/val: no such folder: unpack gtCoarse beside leftImg8bit"):
        open_split(root, "val_coarse")
    (root / "gtFine/val/lindau/lindau_000000_000019_gtFine_labelIds.png").unlink()
    with pytest.raises(UserError, match=r"gtFine/val: no <city>/\*_labelIds\.png or \*_labelTrainIds\.png"):
        open_split(root, "val")
    (root / "gtFine/train/ulm/ulm_000000_000019_gtFine_labelIds.png").unlink()
    with pytest.raises(UserError, match=r"ulm_000000_000019_gtFine_labelIds\.png: no such label for the image"):
        open_split(root)
    (root / "gtFine").rename(root / "labels")
    with pytest.raises(UserError, match=r"gtFine/train: no such folder: unpack gtFine"):
        open_split(root)
    (root / "leftImg8bit").rename(root / "images")
    with pytest.raises(
        UserError, match=r"not the layout 'cityscapes': leftImg8bit/ is neither here nor in cityscapes/"
    ):
        open_split(root)


def test_missing_images_are_named(root: Path) -> None:
    (root / "gtFine/test/berlin").mkdir(parents=True)
    write_label(root / "gtFine/test/berlin/berlin_000000_000019_gtFine_labelIds.png", [0])
    with pytest.raises(UserError, match=r"leftImg8bit/test: no such folder: unpack leftImg8bit there"):
        open_split(root, "test")
    (root / "leftImg8bit/test").mkdir()
    with pytest.raises(UserError, match=r"leftImg8bit/test: no <city>/\*_leftImg8bit\.png here"):
        open_split(root, "test")
