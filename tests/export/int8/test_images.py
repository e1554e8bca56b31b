"""Anybody who has the folder and the seed gets the same calibration images."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.int8.images import CalibrationImage, choose_images
from export.manifest import InputSpec
from train.errors import UserError


def names(images: list[CalibrationImage]) -> set[str]:
    return {image.path.name for image in images}


def test_the_seed_decides(folder: Path) -> None:
    assert choose_images(folder, 3, 0) == choose_images(folder, 3, 0)
    assert len({frozenset(names(choose_images(folder, 3, seed))) for seed in range(5)}) > 1


def test_the_rule_is_the_one_that_is_recorded(folder: Path) -> None:
    # for n in 0 1 2 3 4 5 6 7; do printf '0:%s.png' $n | sha256sum; done | sort
    assert names(choose_images(folder, 3, 0)) == {"4.png", "1.png", "3.png"}


def test_a_new_image_takes_the_place_of_one_at_most(folder: Path, tmp_path: Path) -> None:
    before = names(choose_images(folder, 4, 0))
    grown = Path(shutil.copytree(folder, tmp_path / "grown"))
    for number in range(20):
        shutil.copy(grown / "0.png", grown / f"new {number}.png")
        after = names(choose_images(grown, 4, 0))
        assert len(after - before) <= 1
        before = after


def test_a_folder_with_fewer_gives_all(folder: Path) -> None:
    assert len(choose_images(folder, 100, 0)) == 8


def test_the_content_is_hashed(folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    hashes = [image.sha256 for image in choose_images(copy, 8, 0)]
    assert len(set(hashes)) == 8
    shutil.copy(copy / "0.png", copy / "1.png")
    assert [image.sha256 for image in choose_images(copy, 8, 0)][:2] == [hashes[0], hashes[0]]


@pytest.mark.parametrize("make", [lambda _: None, lambda root: root.mkdir()])
def test_no_folder_and_an_empty_one(make, tmp_path: Path) -> None:
    make(tmp_path / "images")
    with pytest.raises(UserError, match=r"images: no such folder|images: no images here"):
        choose_images(tmp_path / "images", 4, 0)


def test_an_image_of_one_colour_is_named(spec: InputSpec, tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 24, 3), (9, 8, 7), np.uint8)).save(tmp_path / "blue.png")
    (image,) = choose_images(tmp_path, 4, 0)
    with pytest.raises(UserError, match=r"blue\.png: is of one colour"):
        image.read(spec)


def test_an_image_that_cannot_be_read_is_named(spec: InputSpec, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (image,) = choose_images(tmp_path, 4, 0)
    with pytest.raises(UserError, match=r"broken\.png"):
        image.read(spec)
