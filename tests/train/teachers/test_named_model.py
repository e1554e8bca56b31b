import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.train.same import assert_same_tensors
from train.checkpoint import load_run
from train.data.camvid import CLASSES
from train.errors import UserError
from train.models.network import SegmentationNetwork
from train.teachers.named_model import NamedModelTeacher

MODEL = {"architecture": "deeplabv3plus", "encoder": "lcnet_035", "decoder": {"decoder_channels": 16}}


def load(file: Path, **changes: Any) -> SegmentationNetwork:
    settings = {"kind": "named", "model": {**MODEL, **changes}, "file": file}
    return NamedModelTeacher.model_validate(settings).load(CLASSES).network


def test_weights_of_a_run_and_of_smp_itself(teacher_run: Path, tmp_path: Path) -> None:
    best = teacher_run / "checkpoints" / "best" / "model.safetensors"
    expected = load_run(teacher_run).network
    assert_same_tensors(load(best).state_dict(), expected.state_dict())
    smp = {key.replace("classifier.", "segmentation_head.0."): value for key, value in load_file(best).items()}
    save_file({key: value for key, value in smp.items() if key not in ("mean", "std")}, tmp_path / "smp.safetensors")
    assert_same_tensors(load(tmp_path / "smp.safetensors").state_dict(), expected.state_dict())


def test_weights_that_do_not_fit_or_want_to_run_something(teacher_run: Path, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    with pytest.raises(UserError, match="weights of another architecture"):
        load(teacher_run / "checkpoints" / "best" / "model.safetensors", decoder={"decoder_channels": 24})
    torch.save({"weight": Hostile()}, tmp_path / "hostile.pth")
    with pytest.raises(UserError, match="nothing was run"):
        load(tmp_path / "hostile.pth")
    assert not (tmp_path / "ran").exists()


def test_a_download_that_fails_names_the_remedy(tmp_path: Path) -> None:
    settings = {"kind": "named", "model": MODEL, "url": (tmp_path / "nowhere.safetensors").as_uri()}
    with pytest.raises(UserError, match=r"cannot be downloaded .*: give a file with teacher\.file"):
        NamedModelTeacher.model_validate(settings).load(CLASSES)


def test_two_downloads_of_one_name_are_two_teachers(
    teacher_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    weights = load_file(teacher_run / "checkpoints" / "best" / "model.safetensors")
    means = []
    for number, name in enumerate(("one", "other")):
        (tmp_path / name).mkdir()
        file = tmp_path / name / "model.safetensors"
        save_file({**weights, "mean": weights["mean"] + number}, file)
        settings = {"kind": "named", "model": MODEL, "url": file.as_uri()}
        means.append(NamedModelTeacher.model_validate(settings).load(CLASSES).network.mean)
    assert torch.equal(means[0] + 1, means[1])
    with pytest.raises(UserError, match=r"cannot be downloaded .*invalid hash value"):
        NamedModelTeacher.model_validate({**settings, "sha256": "0" * 64}).load(CLASSES)
