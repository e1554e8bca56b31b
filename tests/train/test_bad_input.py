"""Every mistake ends in exit code 2 and one line that says what, where and what to do; nothing is lost."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image

from train import distill, teacher

Options = Callable[..., list[str]]
KD = '[{"name": "kd"}]'


@pytest.fixture
def complaint(cli) -> Callable[..., str]:  # type: ignore[no-untyped-def]
    def run(arguments: list[str], main: Callable[[], None] = distill.main) -> str:
        ended = cli(main, arguments)
        assert ended.code == 2
        assert ended.err.startswith("error: ")
        assert ended.err.count("\n") == 1, ended.err
        return str(ended.err)

    return run


Complaint = Callable[..., str]


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_missing_dataset(options: Options, tmp_path: Path, complaint: Complaint) -> None:
    nowhere = tmp_path / "nowhere"
    assert f"{nowhere}: no such folder" in complaint(options("a", tmp_path / "runs", data__root=nowhere))
    arguments = options("a", tmp_path / "runs")
    index = arguments.index("--data.root")
    assert "data.root: " in complaint(arguments[:index] + arguments[index + 2 :])
    assert not (tmp_path / "runs").exists()


def test_empty_dataset(options: Options, new_camvid: Path, tmp_path: Path, complaint: Complaint) -> None:
    (new_camvid / "val.txt").write_text("", encoding="utf-8")
    assert "val.txt: empty" in complaint(options("a", tmp_path / "runs", data__root=new_camvid))
    assert not (tmp_path / "runs").exists()


def test_image_without_label(options: Options, new_camvid: Path, tmp_path: Path, complaint: Complaint) -> None:
    label = new_camvid / "trainannot" / "1.png"
    label.unlink()
    message = complaint(options("a", tmp_path / "runs", data__root=new_camvid))
    assert f"{label}: no such label for the image {new_camvid / 'train' / '1.png'}" in message


@pytest.mark.parametrize("workers", [0, 1])
def test_label_outside_the_classes(
    options: Options, new_camvid: Path, tmp_path: Path, complaint: Complaint, workers: int
) -> None:
    for path in (new_camvid / "trainannot").iterdir():
        Image.new("L", (96, 64), 42).save(path)
    message = complaint(options("a", tmp_path, data__root=new_camvid, loop__workers=workers))
    assert "label ids [42] are outside the 11 classes: map them in data.label_map" in message


def test_teacher_of_other_classes(
    options: Options, folder_root: Path, teacher_run: Path, tmp_path: Path, complaint: Complaint
) -> None:
    changes = {"data__layout": "folder", "data__root": folder_root, "losses": KD, "teacher__run": teacher_run}
    message = complaint(options("a", tmp_path / "runs", **changes))
    assert f"{teacher_run}: has 11 classes, folder/train has 3" in message
    assert not (tmp_path / "runs").exists()


def test_teacher_of_the_same_classes_in_another_order(
    options: Options, teacher_run: Path, tmp_path: Path, complaint: Complaint
) -> None:
    classes = yaml.safe_load((teacher_run / "config.yaml").read_text(encoding="utf-8"))["data"]["classes"]
    reversed_ = json.dumps(classes[::-1])
    message = complaint(options("a", tmp_path, data__classes=reversed_, losses=KD, teacher__run=teacher_run))
    assert "class 0 is 'sky'" in message


def test_teacher_that_is_no_run(options: Options, tmp_path: Path, complaint: Complaint) -> None:
    assert "config.yaml is missing" in complaint(options("a", tmp_path, losses=KD, teacher__run=tmp_path))
    assert "set --teacher.run" in complaint(options("a", tmp_path, losses=KD))


def test_teacher_with_a_teacher(options: Options, teacher_run: Path, tmp_path: Path, complaint: Complaint) -> None:
    message = complaint(options("a", tmp_path, teacher__run=teacher_run), teacher.main)
    assert "a teacher is trained from labels alone" in message


def test_checkpoint_of_another_architecture(
    options: Options, teacher_run: Path, tmp_path: Path, complaint: Complaint
) -> None:
    other = tmp_path / "other"
    shutil.copytree(teacher_run, other, symlinks=True)
    config = (other / "config.yaml").read_text(encoding="utf-8")
    (other / "config.yaml").write_text(config.replace("decoder_channels: 16", "decoder_channels: 24"), encoding="utf-8")
    message = complaint(options("a", tmp_path / "runs", losses=KD, teacher__run=other))
    assert "weights of another architecture: 'classifier.weight' is (11, 16, 1, 1)" in message
    assert "(11, 24, 1, 1) in the network" in message


@pytest.mark.parametrize("file", ["model.safetensors", "state.pt"])
@pytest.mark.parametrize("length", [0, 1000])
def test_truncated_checkpoint_of_a_teacher(
    options: Options, teacher_run: Path, tmp_path: Path, complaint: Complaint, file: str, length: int
) -> None:
    run = tmp_path / "teacher"
    shutil.copytree(teacher_run, run, symlinks=True)
    damaged = run / "checkpoints" / "last" / file
    damaged.write_bytes(damaged.read_bytes()[:length])
    message = complaint(options("a", tmp_path, losses=KD, teacher__run=run, teacher__checkpoint="last"))
    assert f"{damaged}: cannot be read (its content is not what was written" in message


def test_hostile_teacher_is_refused_and_its_code_not_run(
    options: Options, teacher_run: Path, tmp_path: Path, complaint: Complaint
) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    run = tmp_path / "teacher"
    shutil.copytree(teacher_run, run, symlinks=True)
    best = run / "checkpoints" / "best"
    torch.save({"step": Hostile()}, best / "state.pt")
    (best / "sha256.json").unlink()
    refused = f"{best}/state.pt: cannot be read (it wants to run posix.system; nothing was run)"
    assert refused in complaint(options("a", tmp_path, losses=KD, teacher__run=run))
    file = best / "state.pt"
    assert f"{file}: not a run" in complaint(options("a", tmp_path, losses=KD, teacher__run=file))
    assert not (tmp_path / "ran").exists()


def test_existing_run_is_kept(options: Options, teacher_run: Path, tmp_path: Path, complaint: Complaint) -> None:
    shutil.copytree(teacher_run, tmp_path / "teacher", symlinks=True)
    before = snapshot(tmp_path)
    message = complaint(options("teacher", tmp_path))
    assert f"{tmp_path / 'teacher'}: this run exists: add --resume to go on, --overwrite to start anew" in message
    assert snapshot(tmp_path) == before


def test_resume_with_another_config(options: Options, teacher_run: Path, tmp_path: Path, complaint: Complaint) -> None:
    shutil.copytree(teacher_run, tmp_path / "teacher", symlinks=True)
    before = snapshot(tmp_path)
    changes = {"loop__steps": 4, "loop__save_every": 2, "loop__eval_every": 2, "seed": 7, "optimizer__lr": 0.5}
    message = complaint([*options("teacher", tmp_path, **changes), "--resume"])
    assert "cannot resume, the config differs in optimizer.lr: " in message
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("key", ["size", "crop"])
def test_size_that_the_networks_cannot_take(options: Options, tmp_path: Path, complaint: Complaint, key: str) -> None:
    message = complaint(options("a", tmp_path / "runs", **{f"data__{key}": "[60, 96]"}))
    assert f"data.{key}: (60, 96): both sides must be multiples of 16" in message
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model__encoder": "no_such_net"}, "cannot build deeplabv3plus on no_such_net"),
        ({"model__decoder": '{"no_such_option": 1}'}, "no_such_option"),
        ({"model__weights": "imagenet-offline"}, "no offline ImageNet weights for 'lcnet_035'"),
    ],
)
def test_network_that_cannot_be_built(
    options: Options, tmp_path: Path, complaint: Complaint, changes: dict[str, str], reason: str
) -> None:
    assert reason in complaint(options("a", tmp_path, **changes))
