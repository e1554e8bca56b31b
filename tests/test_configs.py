"""Every shipped config trains: shortened, on small pictures, a student with the teacher that it names."""

from pathlib import Path

import pytest

from tests.conftest import run_training
from train.compare.arms import open_arms
from train.compare.config import CompareConfig
from train.settings import load_config
from train.teachers.run import RunTeacher

CONFIGS = Path(__file__).parents[1] / "configs"
COMPARISONS = CONFIGS / "compare"
FAMILIES = sorted(folder.name for folder in CONFIGS.iterdir() if folder.is_dir() and folder != COMPARISONS)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_teacher_and_every_student_of_it_train(family: str, camvid_root: Path, tmp_path: Path) -> None:
    configs = sorted((CONFIGS / family).glob("*.yaml"), key=lambda path: path.stem != "teacher")
    short = [
        "--out",
        str(tmp_path),
        "--loop.steps",
        "2",
        "--loop.batch_size",
        "2",
        "--loop.workers",
        "0",
        "--loop.threads",
        "1",
    ]
    short += ["--data.size", "64,128", "--data.crop", "64,128", "--data.streets.size", "64,128"]
    short += ["--data.streets.clips", "1", "--data.streets.val_clips", "1"]
    if family == "camvid":
        short += ["--data.root", str(camvid_root)]
    taught: Path | None = None
    for config in configs:
        arguments = [str(config), *short]
        if "\nteacher:" in config.read_text(encoding="utf-8"):
            assert taught is not None, "a teacher comes first"
            arguments += ["--teacher.run", str(taught)]
        run = run_training(arguments)
        taught = run if config.stem == "teacher" else taught
        assert (run / "report.html").is_file()
        assert (run / "checkpoints" / "best").is_dir()
    assert configs


@pytest.mark.parametrize("path", sorted(COMPARISONS.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_training_of_a_comparison_can_be(path: Path) -> None:
    config = load_config(CompareConfig, "test", [str(path)])
    arms = open_arms(config)
    assert len(arms) == len(config.students) * len(config.methods)
    for arm in arms:
        assert len(arm.points) == config.tuning.trials
        if arm.base.teacher is not None:
            assert isinstance(arm.base.teacher, RunTeacher)
            assert (CONFIGS / Path(arm.base.teacher.run).relative_to("runs")).with_suffix(".yaml").is_file()
