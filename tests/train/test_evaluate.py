"""``python -m train.evaluate`` as a user calls it."""

import json
import re
from pathlib import Path

from tests.conftest import Cli
from tests.train.data.moving_clips import moving_frames, write_frames, write_video
from train import evaluate


def test_scores_of_still_images(cli: Cli, student_run: Path, tmp_path: Path) -> None:
    ended = cli(evaluate.main, [str(student_run), "--out", str(tmp_path), "--pictures", "2"])
    assert ended.code == 0, ended.err
    record = json.loads((tmp_path / "scores.json").read_text())
    assert 0 <= record["miou"] <= 1
    assert "temporal" not in record
    assert f"{record['miou']:.4f}" in ended.out
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_boundaries_are_scored_on_demand_beside_the_same_scores(cli: Cli, student_run: Path, tmp_path: Path) -> None:
    plain = cli(evaluate.main, [str(student_run), "--out", str(tmp_path / "plain")])
    ended = cli(evaluate.main, [str(student_run), "--boundary", "--out", str(tmp_path / "boundary")])
    assert (plain.code, ended.code) == (0, 0), ended.err
    without, with_ = (json.loads((tmp_path / name / "scores.json").read_text()) for name in ("plain", "boundary"))
    mean, of_classes = with_.pop("boundary_f"), with_.pop("class_boundary_f")
    assert with_ == without
    assert 0 < mean < 1
    assert of_classes.keys() == without["class_iou"].keys()
    assert re.search(rf"boundary F-score.* {mean:.4f}", ended.out)
    assert "boundary" not in plain.out


def test_scores_over_time_beside_the_same_scores_of_images(cli: Cli, student_run: Path, tmp_path: Path) -> None:
    streets = '{"val_clips": 2, "frames": 2, "size": [48, 64]}'
    given = ["--data.layout", "streets", "--data.streets", streets]
    plain = cli(evaluate.main, [str(student_run), "--out", str(tmp_path / "plain"), *given])
    over_time = cli(evaluate.main, [str(student_run), "--temporal", "--out", str(tmp_path / "time"), *given])
    assert (plain.code, over_time.code) == (0, 0), over_time.err
    without, with_ = (json.loads((tmp_path / name / "scores.json").read_text()) for name in ("plain", "time"))
    temporal = with_.pop("temporal")
    assert with_ == without
    assert temporal["pairs"] == 4
    assert (temporal["gap"], temporal["flow"]) == (1, "exact")
    assert 0 < temporal["tc"] <= 1
    assert f"{temporal['tc']:.4f}" in over_time.out
    assert "label flips of a static pixel" in over_time.out


def test_bare_videos_are_scored_over_time_alone(cli: Cli, student_run: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "data" / "val" / "clips" / "film.avi", moving_frames(4))
    write_frames(tmp_path / "data" / "val" / "clips" / "folder", moving_frames(3))
    given = ["--data.layout", "clips", "--data.root", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    refused = cli(evaluate.main, [str(student_run), *given])
    assert refused.code == 2
    assert "data/val: no labels to score against: add masks, or --temporal" in refused.err
    assert not (tmp_path / "out").exists()
    ended = cli(evaluate.main, [str(student_run), "--temporal", *given])
    assert ended.code == 0, ended.err
    record = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert "miou" not in record
    assert record["temporal"]["pairs"] == 5
    assert record["temporal"]["flips_per_s"] is None  # nobody knows the frame rate of the folder
    assert "unknown" in ended.out


def test_what_cannot_be_scored_over_time_is_said_in_one_line(cli: Cli, student_run: Path, tmp_path: Path) -> None:
    ended = cli(evaluate.main, [str(student_run), "--temporal", "--out", str(tmp_path / "out")])
    assert ended.code == 2
    assert ended.err == "error: temporal: camvid/val has no clips, only still images: choose a split of video frames\n"
    assert not (tmp_path / "out").exists()
