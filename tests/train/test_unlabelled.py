"""Images without labels in a training, beside labelled ones and alone."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from export.bundle import load_bundle
from tests.conftest import run_training
from tests.export.commands import export
from tests.train.data.moving_clips import moving_frames, write_frames, write_video
from tests.train.same import assert_same_run
from train import distill, evaluate, report
from train.config import RunConfig
from train.run_directory import RunDirectory
from train.session import open_session
from train.settings import load_config

Options = Callable[..., list[str]]
CONFIG = Path(__file__).parents[2] / "configs" / "unlabelled.yaml"
KD = '[{"name": "kd"}]'
BOTH = '[{"name": "cross_entropy"}, {"name": "kd", "images": "unlabelled"}]'


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Twelve frames in a folder and twelve in a video. Read only."""
    folder = tmp_path_factory.mktemp("drives") / "drives"
    write_frames(folder / "monday", moving_frames(12))
    write_video(folder / "tuesday.avi", moving_frames(12, seed=1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder.parent / "cache"))
        yield folder


def without_dataset(arguments: list[str]) -> list[str]:
    """The command line of a run that has no labelled images."""
    pairs = zip(arguments[::2], arguments[1::2], strict=True)
    return [part for key, value in pairs if key not in ("--data.layout", "--data.root") for part in (key, value)]


@pytest.fixture(scope="module")
def taught_run(options: Options, drives: Path, teacher_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that has seen no label. Read only."""
    changes = {"data__unlabelled": drives, "data__pool__held_out": 0.25, "data__pool__apart": 1, "losses": KD}
    changes |= {"teacher__run": teacher_run, "loop__steps": 24, "loop__eval_every": 12, "optimizer__lr": 0.02}
    return run_training(without_dataset(options("taught", tmp_path_factory.mktemp("runs"), **changes)))


def test_a_folder_and_a_teacher_are_config_enough(drives: Path, teacher_run: Path) -> None:
    arguments = ["--name", "a", "--data.unlabelled", str(drives), "--teacher.run", str(teacher_run)]
    assert [loss.name for loss in load_config(RunConfig, "test", arguments).losses] == ["kd"]
    labelled = load_config(RunConfig, "test", [*arguments, "--data.layout", "camvid"])
    assert [loss.name for loss in labelled.losses] == ["cross_entropy"]


def test_without_labels_a_student_comes_nearer_to_its_teacher(taught_run: Path, teacher_run: Path) -> None:
    run = RunDirectory(taught_run)
    own, teacher = run.config().data, RunDirectory(teacher_run).config().data
    assert (own.layout, own.classes, own.palette) == ("unlabelled", teacher.classes, teacher.palette)
    losses = [line["losses"]["kd"] for line in run.records() if "losses" in line]
    assert sum(losses[-3:]) < 0.7 * sum(losses[:3])
    scored = [line for line in run.records() if "miou" in line]
    assert [line["step"] for line in scored] == [12, 24]
    assert scored[-1]["pixel_accuracy"] > 0.3


def test_such_a_run_is_scored_against_its_teacher(taught_run: Path, tmp_path: Path, cli) -> None:  # type: ignore[no-untyped-def]
    ended = cli(evaluate.main, [str(taught_run), "--out", str(tmp_path / "scores"), "--pictures", "2"])
    assert ended.code == 0
    assert "agreement with the teacher" in ended.out
    scores = json.loads((tmp_path / "scores" / "scores.json").read_text(encoding="utf-8"))
    best = max((line for line in RunDirectory(taught_run).records() if "miou" in line), key=lambda line: line["miou"])
    assert scores["images"] == 6
    assert (scores["miou"], scores["pixel_accuracy"]) == pytest.approx((best["miou"], best["pixel_accuracy"]))


def test_its_page_says_what_it_was_compared_with(taught_run: Path, tmp_path: Path, cli) -> None:  # type: ignore[no-untyped-def]
    page = (taught_run / "report.html").read_text(encoding="utf-8")
    assert "scored on drives/val (as its teacher sees it)" in page
    assert "Agreement with the teacher" in page
    assert cli(report.main, [str(taught_run), "--out", str(tmp_path / "again.html")]).code == 0
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


@pytest.mark.slow
def test_it_is_exported_and_verified_on_what_was_held_out(taught_run: Path, tmp_path: Path) -> None:
    export(taught_run, tmp_path / "bundle")
    record = load_bundle(tmp_path / "bundle").record("onnx")
    assert record.verified
    assert record.accuracy is not None
    assert (record.accuracy.dataset, record.accuracy.split, record.accuracy.images) == ("unlabelled", "val", 6)


def test_a_run_with_labels_is_scored_on_images_without(  # type: ignore[no-untyped-def]
    student_run: Path, drives: Path, tmp_path: Path, cli
) -> None:
    asked = ["--data.unlabelled", str(drives), "--split", "all", "--out", str(tmp_path), "--pictures", "0"]
    ended = cli(evaluate.main, [str(student_run), *asked])
    assert ended.code == 0
    assert "drives/all (as its teacher sees it), 24 images" in " ".join(ended.out.split())


def test_labelled_and_unlabelled_images_train_together(  # type: ignore[no-untyped-def]
    options: Options, drives: Path, teacher_run: Path, tmp_path: Path, cli
) -> None:
    changes = {"data__unlabelled": drives, "losses": BOTH, "teacher__run": teacher_run, "loop__steps": 4}
    changes |= {"loop__save_every": 2, "loop__batch_size": 4, "data__pool__confidence": 0.05}
    ended = cli(distill.main, options("both", tmp_path, **changes))
    assert ended.code == 0
    assert "data.unlabelled: drives/all: 24 images, 0 near duplicates left out" in ended.out
    whole = RunDirectory(tmp_path / "both")
    logged = [line for line in whole.records() if "losses" in line]
    assert all(line["losses"]["cross_entropy"] > 0 and line["losses"]["kd"] > 0 for line in logged)

    resumed = RunDirectory(tmp_path / "again" / "both")
    shutil.copytree(whole.root, resumed.root, symlinks=True)
    shutil.rmtree(resumed.step(4))
    resumed.link(resumed.step(2), ["last", "best"])
    run_training([*options("both", tmp_path / "again", **changes), "--loop.workers", "1", "--resume"])
    assert_same_run(resumed, whole)


def test_decoded_once_they_are_the_same(options: Options, drives: Path, teacher_run: Path, tmp_path: Path) -> None:
    changes = {"data__unlabelled": drives, "losses": BOTH, "teacher__run": teacher_run, "loop__batch_size": 4}
    read, cached = (
        next(open_session(load_config(RunConfig, "test", options(name, tmp_path, **changes, **more))).batches())
        for name, more in (("read", {}), ("cached", {"data__cache": tmp_path / "cache"}))
    )
    assert torch.equal(read.image, cached.image)
    assert sorted(path.name.rpartition("-")[0] for path in (tmp_path / "cache").iterdir()) == [
        "camvid-train",
        "camvid-val",
        "drives-all",
    ]


def test_mistakes_are_told_before_the_first_step(  # type: ignore[no-untyped-def]
    options: Options, drives: Path, teacher_run: Path, camvid_root: Path, tmp_path: Path, cli
) -> None:
    taught = {"data__unlabelled": drives, "losses": KD, "teacher__run": teacher_run}

    def complaint(arguments: list[str]) -> str:
        ended = cli(distill.main, arguments)
        assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
        assert not (tmp_path / "a").exists()
        return str(ended.err)

    def both(**changes: object) -> str:
        return complaint(options("a", tmp_path, **{**taught, **changes}))

    def alone(**changes: object) -> str:
        return complaint(without_dataset(options("a", tmp_path, **{**taught, **changes})))

    assert "no loss learns from images without labels: add one" in both(losses='[{"name": "cross_entropy"}]')
    message = both(data__unlabelled=camvid_root / "val")
    assert "data.unlabelled: 6 of its images are in camvid/val" in message
    assert "have them left out with --data.pool.val_copies drop" in message
    assert "no such file or folder" in both(data__unlabelled=tmp_path / "nowhere")
    labels = '[{"name": "cross_entropy"}]'
    assert "cross_entropy: needs labels and drives/train has none" in alone(losses=labels)
    assert "kd: images: labelled: no image has a label" in alone(losses='[{"name": "kd", "images": "labelled"}]')
    assert "data.pool.apart" in alone(data__pool__apart=30)
    index = (arguments := without_dataset(options("a", tmp_path, **taught))).index("--teacher.run")
    assert "set --teacher.run RUN" in complaint(arguments[:index] + arguments[index + 2 :])


def test_the_shipped_config_trains(drives: Path, teacher_run: Path, tmp_path: Path) -> None:
    short = {"data.unlabelled": drives, "teacher.run": teacher_run, "out": tmp_path, "data.size": "64,96"}
    short |= {"data.crop": "64,96", "data.pool.apart": 1, "loop.steps": 1, "loop.batch_size": 2, "loop.workers": 0}
    run = run_training([str(CONFIG), *(part for key, value in short.items() for part in (f"--{key}", str(value)))])
    assert (run / "report.html").is_file()
