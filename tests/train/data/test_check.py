"""What one reading of a dataset finds, and what `python -m train.data check` says and ends with."""

import json
import multiprocessing
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import HEIGHT, WIDTH, Cli, Ended
from train.data.__main__ import main
from train.data.camvid import CLASSES, VOID
from train.data.check import SplitCheck
from train.data.open import open_dataset
from train.data.reading import read_splits
from train.data.spec import DatasetSpec
from train.errors import UserError

Check = Callable[..., Ended]


@pytest.fixture
def check(cli: Cli, new_camvid: Path) -> Check:
    """The command on two train and two val images, read by this process."""

    def run(*options: str) -> Ended:
        where = ["--data.layout", "camvid", "--data.root", str(new_camvid)]
        return cli(main, ["check", *where, "--workers", "0", *options])

    return run


def split_check(spec: DatasetSpec, split: str, workers: int = 0) -> SplitCheck:
    dataset = open_dataset(spec, split)
    check = SplitCheck(split, dataset.classes)
    for _, reading in read_splits(spec, {split: dataset}, workers):
        check.add(reading)
    return check


def record(check: Check, file: Path, code: int) -> dict[str, Any]:
    assert check("--json", str(file)).code == code
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def test_sound_dataset_ends_with_0_and_its_numbers_are_true(check: Check, new_camvid: Path, tmp_path: Path) -> None:
    found = record(check, tmp_path / "check.json", 0)
    train = found["splits"]["train"]
    labels = np.stack([np.asarray(Image.open(path)) for path in sorted((new_camvid / "trainannot").iterdir())])
    assert train["class_share"] == {name: float((labels == index).mean()) for index, name in enumerate(CLASSES)}
    assert train["ignored_share"] == float((labels == VOID).mean())
    assert train["never_seen"] == [name for index, name in enumerate(CLASSES) if not (labels == index).any()] != []
    assert (train["images"], train["sizes"]) == (2, {f"{HEIGHT}x{WIDTH}": 2})
    assert (found["wrong"], found["duplicates"]) == ([], [])
    printed = check().out
    assert "check 4/4" in printed
    assert "nothing here that would stop or spoil a training" in printed


def test_broken_files_and_labels_of_another_size(check: Check, new_camvid: Path, tmp_path: Path) -> None:
    (new_camvid / "train" / "0.png").write_bytes(b"")
    Image.new("L", (5, 4)).save(new_camvid / "valannot" / "1.png")
    found = record(check, tmp_path / "check.json", 2)
    assert found["splits"]["train"]["images"] == 2
    assert [line.split(":")[0] for line in found["splits"]["train"]["broken"]] == [str(new_camvid / "train/0.png")]
    assert "the label is (4, 5), its image (64, 96)" in found["splits"]["val"]["broken"][0]
    ended = check()
    assert ended.err == "error: camvid: 2 images broken: see above, put them right or remove them\n"
    assert "train: broken: " in ended.out


def test_ids_of_no_class(check: Check, new_camvid: Path) -> None:
    Image.new("L", (WIDTH, HEIGHT), 77).save(new_camvid / "trainannot" / "0.png")
    ended = check()
    assert ended.code == 2
    assert "train: ids of no class: " in ended.out
    assert "trainannot/0.png: label ids [77] are outside the 11 classes" in ended.out
    assert "1 image with ids of no class" in ended.err


def test_same_image_in_train_and_val(check: Check, new_camvid: Path, tmp_path: Path) -> None:
    Image.open(new_camvid / "train" / "1.png").save(new_camvid / "val" / "0.png", compress_level=1)
    found = record(check, tmp_path / "check.json", 2)
    assert found["duplicates"] == [{"one": "train/1", "other": "val/0", "leaks": True}]
    assert "1 image in the val split and in another one" in check().err


def test_same_image_elsewhere_is_only_said(check: Check, new_camvid: Path) -> None:
    shutil.copy(new_camvid / "train.txt", new_camvid / "all.txt")
    shutil.copy(new_camvid / "train" / "0.png", new_camvid / "train" / "1.png")
    ended = check("--splits", '["train", "all"]')
    assert ended.code == 0
    assert "train: equal images: 0 = 1" in ended.out
    assert "in two splits: train/0 = all/0" in ended.out


def test_odd_sizes_are_named_where_nearly_all_are_equal(tmp_path: Path) -> None:
    for folder in ("images", "masks"):
        (tmp_path / "train" / folder).mkdir(parents=True)
    for number in range(10):
        size = (8, 7) if number == 3 else (8, 6)
        Image.new("RGB", size, (number, 0, 0)).save(tmp_path / f"train/images/{number}.png")
        Image.new("L", size, 255 if number == 5 else 0).save(tmp_path / f"train/masks/{number}.png")
    spec = DatasetSpec(layout="folder", root=tmp_path, classes=["a", "b"])
    found = split_check(spec, "train")
    assert (found.usual_size, found.odd_sizes, found.unlabelled) == ((6, 8), ["3: 7x8"], ["5"])
    assert found.never_seen == ["b"]
    Image.new("RGB", (9, 9)).save(tmp_path / "train/images/4.png")
    Image.new("L", (9, 9)).save(tmp_path / "train/masks/4.png")
    assert split_check(spec, "train").odd_sizes == []  # sizes just differ


def test_long_lists_are_cut_and_kept_whole_for_machines(check: Check, new_camvid: Path, tmp_path: Path) -> None:
    lines = (new_camvid / "train.txt").read_text(encoding="utf-8")
    (new_camvid / "train.txt").write_text(4 * lines, encoding="utf-8")
    (new_camvid / "trainannot" / "0.png").write_bytes(b"")
    (new_camvid / "trainannot" / "1.png").write_bytes(b"")
    assert "train: broken: 3 more, all in --json FILE" in check().out
    assert len(record(check, tmp_path / "check.json", 2)["splits"]["train"]["broken"]) == 8


def test_processes_find_the_same(camvid_root: Path) -> None:
    spec = DatasetSpec(layout="camvid", root=camvid_root)
    assert split_check(spec, "train", workers=2) == split_check(spec, "train")


def test_killed_process_ends_in_one_line(new_camvid: Path) -> None:
    lines = (new_camvid / "train.txt").read_text(encoding="utf-8")
    (new_camvid / "train.txt").write_text(2000 * lines, encoding="utf-8")
    spec = DatasetSpec(layout="camvid", root=new_camvid)
    readings = read_splits(spec, {"train": open_dataset(spec, "train")}, workers=1)
    next(readings)
    for process in multiprocessing.active_children():
        process.kill()
    with pytest.raises(UserError, match="a process that reads died"):
        list(readings)


def test_generated_streets_can_be_checked(cli: Cli) -> None:
    sizes = {"clips": "2", "val_clips": "1", "frames": "2", "size": "[24, 32]"}
    options = [part for key, value in sizes.items() for part in (f"--data.streets.{key}", value)]
    assert cli(main, ["check", "--workers", "0", *options]).code == 0


def test_command_line_of_its_own(new_camvid: Path) -> None:
    where = ["--data.layout", "camvid", "--data.root", str(new_camvid), "--workers", "1"]
    command = [sys.executable, "-m", "train.data", "check", *where]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to do: 'check --data.layout"),
        (["chek"], "say what to do: 'check --data.layout"),
        (["check", "--data.layout", "voc"], "data.root: the layout 'voc' needs the folder"),
        (["check", "--json", "/nowhere/check.json"], "json: /nowhere: no such folder: make it first"),
        (["check", "--data.layout", "vocs"], "data.layout: Input should be 'streets', "),
    ],
)
def test_mistakes_end_in_one_line(cli: Cli, arguments: list[str], message: str) -> None:
    ended = cli(main, arguments)
    assert ended.code == 2
    assert ended.err.startswith("error: ")
    assert message in ended.err
    assert ended.err.count("\n") == 1
