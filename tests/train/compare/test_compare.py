import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from tests.train.compare.tiny import tiny
from train.compare import __main__ as compare


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def written(folder: Path, **changes: Any) -> list[str]:
    folder.mkdir(exist_ok=True)
    path = folder / "tiny.yaml"
    path.write_text(yaml.safe_dump(tiny(folder / "runs", **changes)), encoding="utf-8")
    return [str(path)]


def scores(folder: Path) -> dict[str, list[tuple[int, float, float, str]]]:
    """Of each arm's runs: seed, mIoU of the best and of the last checkpoint, digest of the weights."""
    results = json.loads((folder / "runs/tiny/results.json").read_text())
    return {
        arm["method"]: [(run["seed"], run["miou"], run["last_miou"], run["digest"]) for run in arm["runs"]]
        for arm in results["arms"]
    }


def test_one_command_ends_in_tables_and_again_in_the_same(tmp_path: Path, cli: Any) -> None:
    arguments = [*written(tmp_path, tuning={"trials": 1}), "--merge", str(tmp_path / "RESULTS.md")]
    ended = cli(compare.main, arguments)
    assert ended.code == 0
    root = tmp_path / "runs/tiny"
    found = scores(tmp_path)
    assert {name: [run[0] for run in runs] for name, runs in found.items()} == {
        "baseline": [1, 2],
        "baseline-longer": [1, 2],
        "upright": [1, 2],
    }
    table = (root / "table.md").read_text()
    assert "With 2 seeds a difference can be shown where it is above about 9.0 times" in table
    assert "<!-- compare: tiny -->" in (tmp_path / "RESULTS.md").read_text()
    assert (root / "report.html").stat().st_size > 10_000
    shutil.rmtree(root / "small/upright/seed-2")
    shown = cli(compare.main, [*arguments, "--no-train"])
    assert shown.code == 0
    assert not (root / "small/upright/seed-2").exists()
    assert len(scores(tmp_path)["upright"]) == 1
    again = cli(compare.main, arguments)
    assert again.code == 0
    assert again.out.count("to step") == 1
    assert scores(tmp_path) == found
    assert (root / "table.md").read_text() == table


def test_a_test_split_is_scored_when_all_is_trained_and_what_is_left_out_is_said(tmp_path: Path, cli: Any) -> None:
    arguments = written(tmp_path, tuning={"trials": 1}, seeds=[1], longer=0, test_split="test")
    nothing = cli(compare.main, [*arguments, "--no-train"])
    assert nothing.code == 2
    assert "there is no baseline to compare with: train it first" in nothing.err
    assert cli(compare.main, arguments).code == 0
    results = json.loads((tmp_path / "runs/tiny/results.json").read_text())
    assert {arm["method"]: len(arm["tested"]) for arm in results["arms"]} == {"baseline": 1, "upright": 1}
    assert [note.split(":")[0] for note in results["notes"]] == [
        "Nothing is tuned",
        "With one seed no difference between methods can be shown.",
        "No baseline is trained for longer",
    ]
    assert (tmp_path / "runs/tiny/small/baseline/seed-1/evaluation/compare-test.json").is_file()


@pytest.mark.slow
def test_several_processes_give_the_same_table(tmp_path: Path, cli: Any) -> None:
    for name, processes in (("alone", "1"), ("two", "2")):
        assert cli(compare.main, [*written(tmp_path / name), "--processes", processes]).code == 0
    assert scores(tmp_path / "alone") == scores(tmp_path / "two")
    assert (tmp_path / "two/runs/tiny/process-1.log").read_text().count("to step") > 0


@pytest.mark.slow
def test_the_latency_is_that_of_the_exported_bundle(tmp_path: Path, cli: Any) -> None:
    changes = {"methods": {"baseline": {}}, "tuning": {"trials": 1}, "seeds": [1], "longer": 0, "latency": True}
    assert cli(compare.main, written(tmp_path, **changes)).code == 0
    root = tmp_path / "runs/tiny"
    (student,) = json.loads((root / "results.json").read_text())["students"]
    assert student["latency_ms"] > 0
    assert (root / "bundles/small/model.onnx").is_file()
