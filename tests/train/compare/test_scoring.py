import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.conftest import Cli, Options, run_training
from train import evaluate
from train.compare.results import RunScores
from train.compare.scoring import digest_of, score_run
from train.data.spec import NeighbourSpec
from train.errors import UserError
from train.history import History
from train.metrics import ConfusionMatrix, scores
from train.run_directory import RunDirectory

Evaluate = Callable[..., dict[str, object]]


@pytest.fixture
def own_run(student_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(student_run, tmp_path / "comparison" / "runs" / "student", symlinks=True))


@pytest.fixture(scope="module")
def streets_run(options: Options, tmp_path_factory: pytest.TempPathFactory) -> Path:
    streets = '{"clips": 1, "val_clips": 2, "frames": 2, "size": [48, 64]}'
    changes = {"data__layout": "streets", "data__streets": streets, "data__size": "[48,64]"}
    return run_training(
        options("streets", tmp_path_factory.mktemp("runs"), loop__steps=2, loop__eval_every=1, **changes)
    )


@pytest.fixture
def evaluated(cli: Cli, tmp_path: Path) -> Evaluate:
    def run(path: Path, *given: str) -> dict[str, object]:
        ended = cli(evaluate.main, [str(path), "--out", str(tmp_path / "evaluated"), "--pictures", "0", *given])
        assert ended.code == 0, ended.err
        record: dict[str, object] = json.loads((tmp_path / "evaluated" / "scores.json").read_text())
        return record

    return run


def assert_same(found: RunScores, record: dict[str, object]) -> None:
    for key in ("miou", "macc", "pixel_accuracy", "class_iou", "boundary_f", "step"):
        assert getattr(found, key) == record[key], key


def test_scores_are_those_of_evaluate(own_run: Path, evaluated: Evaluate) -> None:
    found = score_run(own_run, own_run.parents[1], "val")
    assert_same(found, evaluated(own_run, "--boundary"))
    history = History.of(RunDirectory(own_run).records())
    assert history.best is not None
    assert history.last is not None
    assert (found.miou, found.last_miou) == (history.best["miou"], history.last["miou"])
    assert (found.run, found.seed, found.seconds) == ("runs/student", 0, history.spent("seconds"))
    assert (found.tc, found.flips_per_s) == (None, None)  # still images
    assert found.matrices.shape == (6, 11, 11)
    total = ConfusionMatrix(11)
    total.counts = found.matrices.sum(axis=0)
    assert scores(total, list(found.class_iou)).miou == found.miou


def test_clips_are_scored_over_time_too(streets_run: Path, evaluated: Evaluate) -> None:
    found = score_run(streets_run, streets_run.parent, "val")
    record = evaluated(streets_run, "--boundary", "--temporal")
    assert_same(found, record)
    over_time = record["temporal"]
    assert isinstance(over_time, dict)
    assert (found.tc, found.flips_per_s) == (over_time["tc"], over_time["flips_per_s"])
    assert len(found.matrices) == 4  # frames that are samples, and not those they are compared with
    unmoved = score_run(streets_run, streets_run.parent, "val", NeighbourSpec(provider="identity"))
    assert unmoved.tc != found.tc
    assert unmoved.miou == found.miou


def test_on_a_test_split_the_last_checkpoint_is_scored_as_well(streets_run: Path, evaluated: Evaluate) -> None:
    found = score_run(streets_run, streets_run.parent, "test")
    assert_same(found, evaluated(streets_run, "--boundary", "--split", "test"))
    assert found.last_miou == evaluated(streets_run, "--split", "test", "--checkpoint", "last")["miou"]
    assert found.miou != score_run(streets_run, streets_run.parent, "val").miou


def test_frames_that_are_too_far_apart_leave_no_score_over_time(streets_run: Path) -> None:
    assert score_run(streets_run, streets_run.parent, "val", NeighbourSpec(gap=64)).tc is None


def test_a_run_is_scored_once(own_run: Path) -> None:
    first = score_run(own_run, own_run.parents[1], "val")
    files = [own_run / "evaluation" / f"compare-val{suffix}" for suffix in (".json", ".npz")]
    written = [path.stat().st_mtime_ns for path in files]
    again = score_run(own_run, own_run.parents[2], "val")
    assert [path.stat().st_mtime_ns for path in files] == written
    assert again.run == f"comparison/{first.run}"
    assert (again.class_iou, again.boundary_f) == (first.class_iou, first.boundary_f)
    assert again.matrices.dtype == np.int64
    assert np.array_equal(again.matrices, first.matrices)


@pytest.mark.parametrize("harm", ["config", "matrices", "json", "checkpoint"])
def test_a_run_that_has_changed_or_a_damaged_file_is_scored_again(own_run: Path, harm: str) -> None:
    first = score_run(own_run, own_run.parents[1], "val")
    kept = own_run / "evaluation" / "compare-val.json"
    if harm == "config":
        config = yaml.safe_load((own_run / "config.yaml").read_text())
        (own_run / "config.yaml").write_text(yaml.safe_dump(config | {"seed": 5}))
    elif harm == "matrices":
        packed = kept.with_suffix(".npz").read_bytes()
        kept.with_suffix(".npz").write_bytes(packed[: len(packed) // 2])
    elif harm == "json":
        kept.write_text(kept.read_text()[:100])
    else:
        steps = sorted((own_run / "checkpoints").glob("step-*"))
        RunDirectory(own_run).link(next(step for step in steps if f"{first.step:08d}" not in step.name), ["best"])
    again = score_run(own_run, own_run.parents[1], "val")
    assert (again.digest == first.digest) == (harm in ("matrices", "json"))
    assert (again.step == first.step) == (harm != "checkpoint")
    assert again.seed == (5 if harm == "config" else first.seed)
    assert json.loads(kept.read_text())["made_from"]["digest"] == again.digest == digest_of(own_run)


def test_the_digest_does_not_depend_on_where_a_run_lies(own_run: Path) -> None:
    digest = digest_of(own_run)
    moved = own_run.rename(own_run.with_name("moved"))
    config = yaml.safe_load((moved / "config.yaml").read_text())
    (moved / "config.yaml").write_text(yaml.safe_dump(config | {"name": "moved", "out": "elsewhere"}))
    assert digest_of(moved) == digest
    assert len(digest) == 12


def test_what_cannot_be_scored_is_said(own_run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing: not a run \(config.yaml is missing\)"):
        score_run(tmp_path / "nothing", tmp_path, "val")
    with pytest.raises(UserError, match=r"test\.txt: no such list"):
        score_run(own_run, tmp_path, "test")
    (own_run / "metrics.jsonl").unlink()
    with pytest.raises(UserError, match="student: not evaluated yet"):
        score_run(own_run, tmp_path, "val")
    assert not (own_run / "evaluation").exists()
