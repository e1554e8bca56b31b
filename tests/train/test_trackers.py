"""What TensorBoard has been told is read back from its own files; the other trackers need packages of their own."""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from accelerate.tracking import TensorBoardTracker
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import Cli, Options
from train import distill
from train.flat_config import flat_config
from train.run_directory import RunDirectory
from train.trackers import Trackers, check_trackers, metrics


def board(run: Path) -> EventAccumulator:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return events


def scalars(run: Path, name: str) -> list[tuple[int, float]]:
    return [(event.step, pytest.approx(event.value, rel=1e-5)) for event in board(run).Scalars(name)]


@pytest.fixture
def run(student_run: Path, tmp_path: Path) -> RunDirectory:
    """A run that has a config and has written nothing."""
    (tmp_path / "config.yaml").write_bytes((student_run / "config.yaml").read_bytes())
    return RunDirectory(tmp_path)


def test_tensorboard_has_every_number_of_the_run_without_being_asked_for(student_run: Path) -> None:
    records = RunDirectory(student_run).records()
    logged = [line for line in records if "losses" in line]
    assert scalars(student_run, "loss/fckd.channel") == [
        (line["step"], line["losses"]["fckd.channel"]) for line in logged
    ]
    assert scalars(student_run, "lr") == [(line["step"], line["lr"]) for line in logged]
    scored = [line for line in records if "miou" in line]
    assert scalars(student_run, "val/miou") == [(line["step"], line["miou"]) for line in scored]
    assert scalars(student_run, "val/iou/sky") == [(line["step"], line["class_iou"]["sky"]) for line in scored]
    (config,) = board(student_run).Tensors("config/text_summary")
    assert b'"encoder": "lcnet_035"' in config.tensor_proto.string_val[0]


def test_steps_that_are_done_again_are_shown_once(run: RunDirectory) -> None:
    for start, loss in ((0, 1.0), (2, 2.0)):
        with Trackers(["tensorboard"], run, start, print) as trackers:
            for step in range(start + 1, 5):
                trackers.log({"step": step, "losses": {"kd": loss}})
    assert scalars(run.root, "loss/kd") == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]


def test_names_are_those_that_every_tracker_takes() -> None:
    line = {"step": 3, "split": "val", "miou": 0.5, "class_iou": {"sky": 0.5, "a <b>": 1, "none": None}, "seconds": 2}
    assert metrics(line) == {"val/miou": 0.5, "val/iou/sky": 0.5, "val/iou/a _b_": 1.0, "seconds": 2.0}
    assert metrics({"step": 3, "broken": "a.png: gone"}) == {}


def test_one_that_fails_is_given_up_and_the_others_go_on(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(*_arguments: Any, **_options: Any) -> None:
        raise ConnectionError("the server\nis gone")

    with Trackers(["tensorboard"], run, 0, print) as trackers:
        monkeypatch.setattr(TensorBoardTracker, "log", gone)
        for step in (1, 2):
            trackers.log({"step": step, "lr": 0.1})
    (said,) = capsys.readouterr().out.splitlines()
    assert said.startswith("tracker tensorboard failed and is given up; metrics.jsonl has everything: ")
    assert said.endswith("ConnectionError: the server is gone")


def test_a_tracker_that_is_not_installed_is_said_before_a_run_is_made(
    cli: Cli, options: Options, tmp_path: Path
) -> None:
    absent = next((name for name in ("mlflow", "wandb", "trackio") if not installed(name)), None)
    if absent is None:
        pytest.skip("all trackers are installed")
    ended = cli(distill.main, options("a", tmp_path, trackers=json.dumps(["tensorboard", absent])))
    assert ended.code == 2
    assert ended.err.startswith(f"error: trackers: {absent} is not installed: pip install {absent}, or leave it out")
    assert list(tmp_path.iterdir()) == []
    misspelt = cli(distill.main, options("a", tmp_path, trackers='["tensorbord"]'))
    assert (misspelt.code, "Input should be 'tensorboard', 'wandb', 'mlflow'" in misspelt.err) == (2, True)


def test_no_tracker_leaves_the_file_alone(run: RunDirectory) -> None:
    check_trackers([])
    with Trackers([], run, 0, print) as trackers:
        trackers.log({"step": 1, "lr": 0.1})
    assert [path.name for path in run.root.iterdir()] == ["config.yaml"]


def test_configs_are_told_by_dotted_keys() -> None:
    losses = [{"name": "kd", "weight": 2.0}, {"name": "fckd", "weight": 0.1}]
    flat = flat_config({"seed": 0, "data": {"size": [1, 2], "root": None, "map": {}}, "losses": losses})
    assert flat == {"seed": 0, "data.size": "[1, 2]", "losses.kd.weight": 2.0, "losses.fckd.weight": 0.1}
    assert flat_config({"losses": [*losses, losses[0]]}) == {"losses": json.dumps([*losses, losses[0]])}


def installed(name: str) -> bool:
    try:
        return bool(metadata.version(name))
    except metadata.PackageNotFoundError:
        return False
