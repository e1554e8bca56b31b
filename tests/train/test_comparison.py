"""``python -m train.report`` as a user calls it: one run, several runs, and what is none."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.train.test_report import Page
from train import report
from train.run_directory import RunDirectory


@pytest.fixture
def compared(cli: Cli, student_run: Path, teacher_run: Path, tmp_path: Path) -> Path:
    files = ["--out", "page.html", "--markdown", "tables.md", "--json", "numbers.json"]
    given = [part if part.startswith("-") else str(tmp_path / part) for part in files]
    ended = cli(report.main, [str(student_run), str(teacher_run), *given])
    assert ended.code == 0, ended.err
    assert f"report: {tmp_path / 'page.html'}" in ended.out
    return tmp_path


def test_two_runs_side_by_side(compared: Path, student_run: Path) -> None:
    numbers = json.loads((compared / "numbers.json").read_text(encoding="utf-8"))
    student, teacher = numbers["runs"]
    lines = [line for line in RunDirectory(student_run).records() if "miou" in line]
    best = max(lines, key=lambda line: line["miou"])
    assert student["best"] == {"step": best["step"], "miou": best["miou"]}
    assert student["miou"] == pytest.approx(best["miou"])
    assert student["last"]["step"] == 24
    assert student["teacher_calibration_error"] == pytest.approx(teacher["calibration_error"])
    assert student["seconds"] > 0
    delta = numbers["class_iou_against_first"]
    assert set(delta) == {"student", "teacher"}
    assert delta["teacher"]["sky"] == pytest.approx(teacher["class_iou"]["sky"] - student["class_iou"]["sky"])
    assert numbers["config"]["seed"] == {"student": "0", "teacher": "7"}
    assert numbers["config"]["losses.kd.weight"] == {"student": "0.1", "teacher": "–"}
    assert not {"name", "out", "data.layout"} & set(numbers["config"])

    page = Page((compared / "page.html").read_text(encoding="utf-8"))
    assert page.outside == []
    alternatives = [str(image["alt"]) for image in page.images]
    charts = [
        "mIoU on the val split over steps",
        "the loss cross_entropy over steps",
        "reliability: accuracy over confidence",
    ]
    assert alternatives[:3] == charts
    assert alternatives[3:] == [f"{n}: {title}" for n in range(6) for title in ("image", "label", "student", "teacher")]
    markdown = (compared / "tables.md").read_text(encoding="utf-8")
    for text in (f"| student | {best['miou']:.4f} | {best['step']} |", "| seed | 0 | 7 |", "## IoU of each class"):
        assert text in markdown
    for text in (f"{best['miou']:.4f}", f"({delta['teacher']['road']:+.4f})", "losses.kd.weight"):
        assert text in page.text


def test_scores_of_different_images_are_called_so(
    cli: Cli, student_run: Path, teacher_run: Path, tmp_path: Path
) -> None:
    run = tmp_path / "moved"
    shutil.copytree(teacher_run, run, symlinks=True)
    config = (run / "config.yaml").read_text(encoding="utf-8")
    (run / "config.yaml").write_text(config.replace("val_split: val", "val_split: train"), encoding="utf-8")
    ended = cli(report.main, [str(student_run), str(run), "--out", str(tmp_path / "page.html")])
    assert ended.code == 0, ended.err
    warning = "different images: student on camvid/val (6 images), teacher on camvid/train (6 images)."
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert warning in page.text
    assert warning in ended.out
    assert [str(image["alt"]) for image in page.images if "label" in str(image["alt"])] == []


def test_a_page_made_anew_is_that_of_the_training(cli: Cli, student_run: Path, tmp_path: Path) -> None:
    ended = cli(report.main, [str(student_run), "--out", str(tmp_path / "anew.html")])
    assert ended.code == 0, ended.err
    assert (tmp_path / "anew.html").read_text(encoding="utf-8") == (student_run / "report.html").read_text(
        encoding="utf-8"
    )


def test_what_cannot_be_compared_is_said_in_one_line(
    cli: Cli, student_run: Path, teacher_run: Path, tmp_path: Path
) -> None:
    def refused(*arguments: object) -> str:
        ended = cli(report.main, [str(argument) for argument in arguments])
        assert (ended.code, ended.err.count("\n")) == (2, 1)
        return ended.err

    bare, other = tmp_path / "bare", tmp_path / "other"
    bare.mkdir()
    assert "which run? usage: python -m train.report RUN [RUN ...]" in refused()
    assert "not a run (config.yaml is missing)" in refused(student_run, tmp_path)
    shutil.copy(student_run / "config.yaml", bare)
    assert f"{bare}: no 'best' checkpoint" in refused(student_run, bare)
    assert "nowhere: no such folder" in refused(student_run, "--json", tmp_path / "nowhere" / "x.json")
    shutil.copytree(teacher_run, other, symlinks=True)
    config = (other / "config.yaml").read_text(encoding="utf-8")
    (other / "config.yaml").write_text(config.replace("- sky", "- heaven"), encoding="utf-8")
    assert f"{other}: class 0 is 'heaven', in {student_run} it is 'sky'" in refused(student_run, other)
    assert not (tmp_path / "comparison.html").exists()


def test_a_teacher_that_is_gone_is_left_out(cli: Cli, student_run: Path, teacher_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "student"
    shutil.copytree(student_run, run, symlinks=True)
    config = (run / "config.yaml").read_text(encoding="utf-8")
    (run / "config.yaml").write_text(config.replace(str(teacher_run), str(tmp_path / "gone")), encoding="utf-8")
    ended = cli(report.main, [str(run), "--json", str(tmp_path / "numbers.json")])
    assert ended.code == 0, ended.err
    assert f"{run}: its teacher is not shown: {tmp_path / 'gone'}: not a run" in ended.out
    assert json.loads((tmp_path / "numbers.json").read_text())["runs"][0]["teacher"] is None
    assert "Student and teacher" not in (run / "report.html").read_text(encoding="utf-8")
