"""Each kind of teacher distils a student, by the command lines that users type."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.train.teachers.sources import write_onnx
from train import distill, evaluate, report
from train.config import RunConfig
from train.data.camvid import CLASSES
from train.session import open_session
from train.settings import load_config
from train.step import train_step
from train.teachers.__main__ import main as look

Options = Callable[..., list[str]]
LOSSES = '[{"name": "cross_entropy"}, {"name": "kd"}]'
LISTENING = '[{"name": "cross_entropy"}, {"name": "fitnet", "student_tap": "fused", "teacher_tap": "fused"}]'

NAMED = {"architecture": "deeplabv3plus", "encoder": "lcnet_035", "decoder": {"decoder_channels": 16}}


@pytest.fixture
def teachers(teacher_run: Path, segformer: Path, lraspp: Path, onnx_file: Path) -> dict[str, dict[str, Any]]:
    run, file = {"run": str(teacher_run)}, {"kind": "onnx", "path": str(onnx_file), "multiple": 4}
    return {
        "run": run,
        "named": {
            "kind": "named",
            "model": NAMED,
            "file": str(teacher_run / "checkpoints" / "best" / "model.safetensors"),
        },
        "hugging_face": {"kind": "hugging_face", "folder": str(segformer)},
        "torchvision": {"kind": "torchvision", "architecture": "lraspp_mobilenet_v3_large", "file": str(lraspp)},
        "onnx": file,
        "average": {"kind": "average", "members": [run, file], "scales": [0.5], "flip": True},
        "class_groups": {
            "kind": "class_groups",
            "groups": [
                {"speaks_for": CLASSES[:4], "teacher": run},
                {"speaks_for": CLASSES[4:], "teacher": {**file, "flip": True}},
            ],
        },
    }


KINDS = ["run", "named", "hugging_face", "torchvision", "onnx", "average", "class_groups"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_teaches(options: Options, teachers: dict[str, Any], tmp_path: Path, kind: str) -> None:
    changes = {"losses": LOSSES, "teacher": json.dumps(teachers[kind]), "data__size": "[64,96]", "seed": 1}
    session = open_session(load_config(RunConfig, "test", options("a", tmp_path, loop__steps=2, **changes)))
    terms = [train_step(session, batch) for batch in session.batches()]
    assert all(0 < term["kd"].item() < 100 for term in terms)
    assert session.teacher is not None
    assert not session.teacher.training
    assert not any(parameter.requires_grad for parameter in session.teacher.parameters())
    saved = yaml.safe_load((tmp_path / "a" / "config.yaml").read_text(encoding="utf-8"))["teacher"]
    assert saved["kind"] == kind


def test_a_whole_training_its_report_and_its_scores(  # type: ignore[no-untyped-def]
    options: Options, teachers: dict[str, Any], tmp_path: Path, cli
) -> None:
    changes = {
        "losses": LOSSES,
        "teacher": json.dumps({**teachers["onnx"], "cache": {"folder": str(tmp_path / "cache")}}),
    }
    arguments = options("a", tmp_path, loop__steps=6, loop__eval_every=3, data__augment__variants=1, **changes)
    ended = cli(distill.main, arguments)
    assert ended.code == 0, ended.err
    assert re.search(r"teacher cache: 0% of 6 crops were there; it holds 6 maps, ", ended.out)
    assert re.search(r"teacher cache: 100% of 6 crops were there; it holds 6 maps, ", ended.out)
    page = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert "only the teacher right" in page
    assert cli(report.main, [str(tmp_path / "a")]).code == 0
    ended = cli(evaluate.main, [str(tmp_path / "a"), "--teacher", "--pictures", "1"])
    assert ended.code == 0, ended.err
    scores = json.loads((tmp_path / "a" / "evaluation_of_teacher" / "scores.json").read_text(encoding="utf-8"))
    assert 0 < scores["pixel_accuracy"] < 1
    assert scores["teacher"]["path"] == teachers["onnx"]["path"]
    assert "macs" not in scores
    config = [str(tmp_path / "a" / "config.yaml"), "--teacher", "--pictures", "0"]
    assert "a config has no folder for scores and pictures: say where with --out" in cli(evaluate.main, config).err
    assert cli(evaluate.main, [*config, "--out", str(tmp_path / "scored")]).code == 0
    again = json.loads((tmp_path / "scored" / "scores.json").read_text(encoding="utf-8"))
    assert again["miou"] == scores["miou"]


def test_the_table_of_classes_is_what_the_config_takes(  # type: ignore[no-untyped-def]
    options: Options, tmp_path: Path, cli
) -> None:
    path = write_onnx(tmp_path / "a.onnx", 4, layout="NHWC", dtype="uint8", decides=True)
    teacher = {"kind": "onnx", "path": str(path), "multiple": 4, "classes": ["road", "sidewalk", "rider", "moon"]}
    changes = {"losses": LOSSES, "loop__steps": 1}
    arguments = options("a", tmp_path, **changes)
    refused = cli(distill.main, [*arguments, "--teacher", json.dumps(teacher)])
    assert refused.code == 2
    assert "has 4 classes, camvid/train has 11: say which is which in teacher.class_map" in refused.err
    misspelt = {**teacher, "class_map": {"sidewlk": "pavement"}}
    assert "did you mean 'sidewalk'?" in cli(look, [*arguments, "--teacher", json.dumps(misspelt)]).err
    looked = cli(look, [*arguments, "--teacher", json.dumps(teacher), "--json", str(tmp_path / "found.json")])
    assert looked.code == 0, looked.err
    proposed = yaml.safe_load(looked.out[looked.out.index("class_map:") :])
    assert proposed == {"class_map": {"road": "road", "sidewalk": "pavement", "rider": "bicyclist", "moon": None}}
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["taps"] == {"logits": {"channels": 4, "stride": 4}}
    config = load_config(RunConfig, "test", [*arguments, "--teacher", json.dumps({**teacher, **proposed})])
    session = open_session(config)
    assert len(session.unknown_to_teacher) == 11 - 3
    (batch,) = session.batches()
    assert batch.label is not None
    assert batch.valid is not None
    known = torch.tensor([index for index in range(11) if index not in session.unknown_to_teacher])
    assert torch.equal(batch.valid, torch.isin(batch.label, known))
    assert train_step(session, batch)["kd"].item() > 0


def test_what_a_map_leaves_out_is_said_before_the_first_step(  # type: ignore[no-untyped-def]
    options: Options, tmp_path: Path, cli
) -> None:
    path = write_onnx(tmp_path / "a.onnx", 12, dtype="uint8")
    teacher = {
        "kind": "onnx",
        "path": str(path),
        "multiple": 4,
        "classes": ["moon", *CLASSES],
        "class_map": {"car": None},
    }
    arguments = options("a", tmp_path, losses=LISTENING, teacher=json.dumps(teacher))
    ended = cli(distill.main, arguments)
    assert ended.code == 2
    assert "teacher: tap 'fused': the network does not show it: it shows logits" in ended.err
    assert ended.err.count("\n") == 1
    assert "left out, for the data has no such class: moon, car" in ended.out
    assert "knows nothing of car" in ended.out
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("teacher", "reason"),
    [
        ({"kind": "onx"}, "teacher.kind: there is no 'onx': did you mean 'onnx'?"),
        ({"kind": "onnx"}, "teacher.path: Field required"),
        ({"kind": "onnx", "pth": "a"}, "unknown key 'teacher.pth': did you mean 'teacher.path'?"),
        ({"kind": "named", "model": {"encodr": "a"}}, "unknown key 'teacher.model.encodr': did you mean"),
        ({"kind": "torchvision"}, "teacher: Value error, a network of torchvision needs weights"),
        ({"kind": "hugging_face", "name": "a", "folder": "b"}, "give either name, on the hub, or folder"),
        ({"run": "a", "cache": {"folder": "b"}}, "teacher.cache: every crop is a new one"),
    ],
)
def test_settings_that_are_wrong(  # type: ignore[no-untyped-def]
    options: Options, tmp_path: Path, cli, teacher: dict[str, Any], reason: str
) -> None:
    ended = cli(distill.main, options("a", tmp_path, losses=LOSSES, teacher=json.dumps(teacher)))
    assert ended.code == 2
    assert reason in ended.err
    assert ended.err.count("\n") == 1
