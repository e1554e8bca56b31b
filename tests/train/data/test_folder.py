from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.data.dataset import Dataset
from train.data.folder import list_images
from train.data.open import open_dataset
from train.data.palette import IGNORE_INDEX, colorize, default_palette
from train.data.spec import DatasetSpec
from train.errors import UserError


def open_split(root: Path, split: str = "train", **changes: object) -> Dataset:
    return open_dataset(DatasetSpec.model_validate({"layout": "folder", "root": root, **changes}), split)


def rewrite_masks(root: Path, change) -> None:  # type: ignore[no-untyped-def]
    for path in (root / "train" / "masks").iterdir():
        change(np.asarray(Image.open(path)), path)


def test_split_folders_with_index_masks(folder_root: Path) -> None:
    dataset = open_split(folder_root)
    assert dataset.classes == ["road", "sky", "car"]
    assert dataset.palette == [(128, 64, 128), (70, 130, 180), (0, 0, 142)]
    assert len(dataset) == 6
    image, label, name, _ = dataset[2]
    assert (image.shape, label.shape, name) == ((64, 96, 3), (64, 96), "2")
    shown = np.array(dataset.palette)[label]
    assert np.abs(image.astype(int) - shown).max() <= 12  # the image shows its own label


def test_colour_masks_are_the_same_labels(new_folder: Path) -> None:
    before = [open_split(new_folder)[index].label for index in range(2)]
    palette = open_split(new_folder).palette
    rewrite_masks(new_folder, lambda ids, path: Image.fromarray(colorize(ids, palette)).save(path))
    for index, label in enumerate(before):
        assert np.array_equal(open_split(new_folder)[index].label, label)


def test_palette_images_hold_ids(new_folder: Path) -> None:
    before = open_split(new_folder)[0].label

    def as_palette_image(ids: np.ndarray, path: Path) -> None:
        image = Image.fromarray(ids).convert("P")
        image.putpalette([200, 0, 0] * 256)
        image.save(path)

    rewrite_masks(new_folder, as_palette_image)
    assert np.array_equal(open_split(new_folder)[0].label, before)


def test_black_and_white_of_a_colour_mask_are_ignored(new_folder: Path) -> None:
    mask = np.zeros((64, 96, 3), np.uint8)
    mask[:, 10:] = 255
    Image.fromarray(mask).save(new_folder / "train" / "masks" / "0.png")
    assert (open_split(new_folder)[0].label == IGNORE_INDEX).all()


def test_colour_of_no_class_is_named(new_folder: Path) -> None:
    Image.new("RGB", (96, 64), (1, 2, 3)).save(new_folder / "train" / "masks" / "0.png")
    with pytest.raises(UserError, match=r"0\.png: colour \(1, 2, 3\)"):
        open_split(new_folder)[0]


def test_split_lists_beside_one_folder(new_folder: Path) -> None:
    (new_folder / "train").rename(new_folder / "all")
    for folder in ("images", "masks"):
        (new_folder / "all" / folder).rename(new_folder / folder)
    (new_folder / "few.txt").write_text("1\n", encoding="utf-8")
    assert [sample.name for sample in open_split(new_folder, "few")] == ["1"]  # type: ignore[attr-defined]
    (new_folder / "few.txt").write_text("1\n9\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"few\.txt: '9': no such image"):
        open_split(new_folder, "few")


def test_label_map_renames_ids(new_folder: Path) -> None:
    before = open_split(new_folder)[0].label
    mapped = open_split(new_folder, label_map={"0": 2, "2": 0, "1": IGNORE_INDEX})[0].label
    expected = np.array([2, IGNORE_INDEX, 0], np.uint8)[before]
    assert np.array_equal(mapped, expected)


def test_classes_of_the_config_and_default_colours(folder_root: Path, new_folder: Path) -> None:
    assert open_split(folder_root, classes=["x", "y", "z"]).palette == default_palette(3)
    (new_folder / "classes.txt").write_text("a\nb\nc\n", encoding="utf-8")
    assert open_split(new_folder).palette == default_palette(3)


@pytest.mark.parametrize("text", ["", "two words\n", "a 1 2\n"])
def test_broken_class_list_is_named(new_folder: Path, text: str) -> None:
    (new_folder / "classes.txt").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"classes\.txt: each line must be"):
        open_split(new_folder)


def test_missing_class_list_split_and_label_are_named(new_folder: Path) -> None:
    with pytest.raises(UserError, match="no split 'test'"):
        open_split(new_folder, "test")
    (new_folder / "train" / "masks" / "1.png").unlink()
    with pytest.raises(UserError, match=r"masks/1\.png: no such label for the image .*images/1\.png"):
        open_split(new_folder)
    (new_folder / "classes.txt").unlink()
    with pytest.raises(UserError, match=r"classes\.txt: missing"):
        open_split(new_folder, "val")


def test_label_of_another_size_is_named(new_folder: Path) -> None:
    Image.new("L", (10, 10)).save(new_folder / "train" / "masks" / "0.png")
    with pytest.raises(UserError, match=r"the label is \(10, 10\), its image \(64, 96\)"):
        open_split(new_folder)[0]


@pytest.mark.parametrize("damage", [b"", b"not an image"])
def test_unreadable_label_is_named(new_folder: Path, damage: bytes) -> None:
    (new_folder / "train" / "masks" / "0.png").write_bytes(damage)
    with pytest.raises(UserError, match=r"masks/0\.png: the label cannot be read"):
        open_split(new_folder)[0]


def test_truncated_label_is_named(new_folder: Path) -> None:
    path = new_folder / "train" / "masks" / "0.png"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"masks/0\.png: the label cannot be read"):
        open_split(new_folder)[0]


def test_label_with_a_damaged_chunk_is_named(new_folder: Path) -> None:
    path = new_folder / "train" / "masks" / "0.png"
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(b"IDAT") - 1] -= 8  # the length of the chunk, so that its end is read as the next one
    path.write_bytes(damaged)
    with pytest.raises(UserError, match=r"masks/0\.png: the label cannot be read"):
        open_split(new_folder)[0]


def test_number_of_missing_labels_is_said(new_folder: Path) -> None:
    for path in (new_folder / "train" / "masks").iterdir():
        path.unlink()
    with pytest.raises(UserError, match=r"images/0\.png \(nor for 1 others\): add it"):
        open_split(new_folder)


def test_list_images_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        list_images(tmp_path / "nowhere")
    (tmp_path / "readme.md").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="no images here"):
        list_images(tmp_path)
