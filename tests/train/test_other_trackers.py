"""Trackers that are not installed for the tests: each is skipped where it is not. All write to this machine alone."""

import json
import sqlite3
from importlib.util import find_spec
from pathlib import Path

import pytest

from train.run_directory import RunDirectory
from train.trackers import Trackers

pytestmark = pytest.mark.filterwarnings("ignore")  # of packages that we do not choose the versions of


@pytest.fixture
def run(student_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run that has a config and has written nothing."""
    root = tmp_path / "run"
    root.mkdir()
    (root / "config.yaml").write_bytes((student_run / "config.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return RunDirectory(root)


def tell(run: RunDirectory, name: str) -> None:
    """Three steps, a resumption after the second, and one more."""
    for start, steps in ((0, (1, 2, 3)), (2, (3, 4))):
        with Trackers([name], run, start, print) as trackers:  # type: ignore[list-item]
            for step in steps:
                trackers.log({"step": step, "losses": {"kd": 1 / step}})


@pytest.mark.skipif(not find_spec("mlflow"), reason="MLflow is not installed")
def test_mlflow_has_one_run_with_config_and_curve(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{run.root}/mlflow.db")
    tell(run, "mlflow")
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{run.root}/mlflow.db")
    (experiment,) = [found for found in client.search_experiments() if found.name == "segdistill"]
    (found,) = client.search_runs([experiment.experiment_id])
    assert (found.info.run_name, found.data.params["model.encoder"]) == ("student", "lcnet_035")
    assert {metric.step for metric in client.get_metric_history(found.info.run_id, "loss/kd")} == {1, 2, 3, 4}


@pytest.mark.skipif(not find_spec("wandb"), reason="Weights & Biases is not installed")
def test_wandb_keeps_both_parts_under_one_id(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    tell(run, "wandb")
    identity = json.loads((run.root / "trackers.json").read_text(encoding="utf-8"))["wandb"]
    parts = list((run.root / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(parts) == 2
    assert {part.stem for part in parts} == {f"run-{identity}"}
    assert all(part.stat().st_size > 1000 for part in parts)


@pytest.mark.skipif(not find_spec("trackio"), reason="trackio is not installed")
def test_trackio_goes_on_with_the_same_run(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    from trackio import sqlite_storage

    monkeypatch.setattr(sqlite_storage, "TRACKIO_DIR", run.root / "trackio")
    tell(run, "trackio")
    with sqlite3.connect(run.root / "trackio" / "segdistill.db") as database:
        rows = database.execute("SELECT run_name, step FROM metrics").fetchall()
    assert {name for name, _ in rows} == {"student"}
    assert {step for _, step in rows} == {1, 2, 3, 4}
