from pathlib import Path

import pytest
from PIL import Image

from tests.train.data.moving_clips import moving_frames, write_frames
from train.data.open import open_dataset
from train.data.spec import DataConfig, PoolSpec
from train.data.unlabelled import UnlabelledFrames, open_unlabelled
from train.data.val_copies import without_val_copies
from train.errors import UserError

pytestmark = pytest.mark.usefixtures("own_cache_folder")


def pool_of(folder: Path, camvid_root: Path) -> UnlabelledFrames:
    """A pool of three images of its own, a copy of a val image, and a smaller, compressed one."""
    write_frames(folder / "pool", moving_frames(3))
    with Image.open(camvid_root / "val" / "1.png") as image:
        image.save(folder / "pool" / "copy.bmp")
    with Image.open(camvid_root / "val" / "4.png") as image:
        image.resize((72, 48)).save(folder / "pool" / "small.jpg", quality=85)
    return open_unlabelled(DataConfig(unlabelled=[folder], classes=["a"]), "all")


def test_images_of_the_val_split_are_refused_by_name(tmp_path: Path, camvid_root: Path) -> None:
    val_set = open_dataset(DataConfig(layout="camvid", root=camvid_root), "val")
    with pytest.raises(UserError) as error:
        without_val_copies(pool_of(tmp_path, camvid_root), val_set, PoolSpec())
    message = str(error.value)
    assert message.startswith("data.unlabelled: 2 of its images are in camvid/val, or all but the same")
    assert (
        "pool_copy is 1, pool_small is 4: remove them, or have them left out with --data.pool.val_copies drop"
        in message
    )


def test_or_left_out_and_counted(tmp_path: Path, camvid_root: Path) -> None:
    val_set = open_dataset(DataConfig(layout="camvid", root=camvid_root), "val")
    found = without_val_copies(pool_of(tmp_path, camvid_root), val_set, PoolSpec(val_copies="drop"))
    assert [found[index].name for index in range(len(found))] == ["pool_0", "pool_1", "pool_2"]
    assert found.notes[-1] == "2 images left out that are in camvid/val"


def test_other_images_are_none_of_its_business(tmp_path: Path, camvid_root: Path) -> None:
    val_set = open_dataset(DataConfig(layout="camvid", root=camvid_root), "val")
    write_frames(tmp_path / "pool", moving_frames(3))
    pool = open_unlabelled(DataConfig(unlabelled=[tmp_path], classes=["a"]), "all")
    assert without_val_copies(pool, val_set, PoolSpec()) is pool


def test_a_pool_of_nothing_else_is_an_error(camvid_root: Path) -> None:
    val_set = open_dataset(DataConfig(layout="camvid", root=camvid_root), "val")
    pool = open_unlabelled(DataConfig(unlabelled=[camvid_root / "val"], classes=["a"]), "all")
    with pytest.raises(UserError, match="6 images left out that are in camvid/val, and nothing is left"):
        without_val_copies(pool, val_set, PoolSpec(val_copies="drop"))
