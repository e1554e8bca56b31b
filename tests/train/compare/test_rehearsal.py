import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.train.compare.tiny import tiny, tiny_config
from train.compare.arms import ArmConfig, open_arms
from train.compare.rehearsal import rehearse
from train.errors import UserError


@pytest.fixture
def with_test(new_folder: Path) -> Path:
    """Folders with a third split."""
    shutil.copytree(new_folder / "val", new_folder / "test")
    return new_folder


def arms(root: Path, out: Path, data: dict[str, Any] | None = None, **changes: Any) -> list[ArmConfig]:
    recipe = tiny(out)["recipe"] | {"data": {"layout": "folder", "root": str(root), "size": [64, 96], **(data or {})}}
    return open_arms(tiny_config(out, recipe=recipe, methods={"baseline": {}}, test_split="test", **changes))


def test_a_test_split_that_is_there_is_left_alone(with_test: Path, tmp_path: Path) -> None:
    rehearse(arms(with_test, tmp_path))
    assert not (tmp_path / "tiny").exists()


def test_a_test_split_has_two_blocks(with_test: Path, tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (with_test / "test" / kind / "1.png").unlink()
    with pytest.raises(UserError, match="test has 1 images, and there must be two blocks"):
        rehearse(arms(with_test, tmp_path))


@pytest.mark.usefixtures("own_cache_folder")
def test_images_of_the_test_split_are_not_among_those_without_labels(with_test: Path, tmp_path: Path) -> None:
    more = tmp_path / "more"
    shutil.copytree(with_test / "train/images", more)
    shutil.copy(with_test / "test/images/1.png", more / "2.png")
    with pytest.raises(UserError, match="1 of its images are in folder/test, or all but the same"):
        rehearse(arms(with_test, tmp_path, {"unlabelled": [str(more)]}))
