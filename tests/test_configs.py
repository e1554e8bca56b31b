"""Every shipped config trains: shortened, on small pictures, a student with the teacher that it names."""

from pathlib import Path

import pytest

from tests.conftest import run_training

CONFIGS = Path(__file__).parents[1] / "configs"
FAMILIES = sorted(folder.name for folder in CONFIGS.iterdir() if (folder / "teacher.yaml").is_file())


@pytest.mark.parametrize("family", FAMILIES)
def test_a_teacher_and_every_student_of_it_train(family: str, camvid_root: Path, tmp_path: Path) -> None:
    teacher, *students = sorted((CONFIGS / family).glob("*.yaml"), key=lambda path: path.stem != "teacher")
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
    short += ["--data.size", "64,96", "--data.crop", "64,96", "--data.streets.size", "64,96"]
    short += ["--data.streets.clips", "1", "--data.streets.val_clips", "1"]
    if family == "camvid":
        short += ["--data.root", str(camvid_root)]
    taught = run_training([str(teacher), *short])
    for student in students:
        arguments = [str(student), *short]
        if "\nteacher:" in student.read_text(encoding="utf-8"):
            arguments += ["--teacher.run", str(taught)]
        run = run_training(arguments)
        assert (run / "report.html").is_file()
        assert (run / "checkpoints" / "best").is_dir()
    assert students
