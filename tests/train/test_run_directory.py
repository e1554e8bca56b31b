import json
import shutil
from pathlib import Path

import pytest
import torch

from train.durable import atomic_path
from train.errors import UserError
from train.run_directory import RunDirectory, open_run


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path)
    directory.checkpoints.mkdir()
    return directory


def save(run: RunDirectory, step: int, links: list) -> None:  # type: ignore[type-arg]
    run.save(step, {"w": torch.full((1,), float(step))}, {"step": step}, links)


def test_the_two_newest_checkpoints_and_the_best_are_kept(run: RunDirectory) -> None:
    save(run, 1, ["best", "last"])
    for step in (2, 3, 4):
        save(run, step, ["last"])
    assert sorted(path.name for path in run.checkpoints.iterdir()) == [
        "best",
        "last",
        "step-00000001",
        "step-00000003",
        "step-00000004",
    ]
    assert run.checkpoint("best").resolve().name == "step-00000001"
    assert run.checkpoint("last").resolve().name == "step-00000004"


def test_a_run_can_be_moved(run: RunDirectory, tmp_path_factory: pytest.TempPathFactory) -> None:
    save(run, 1, ["best", "last"])
    moved = tmp_path_factory.mktemp("elsewhere") / "run"
    shutil.move(run.root, moved)
    assert (RunDirectory(moved).checkpoint("best") / "model.safetensors").is_file()


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("old", encoding="utf-8")

    def write_half() -> None:
        with atomic_path(target) as path:
            path.write_text("half", encoding="utf-8")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_half()
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert target.read_text(encoding="utf-8") == "old"


def test_what_a_killed_process_left_is_cleared_by_the_next_write(run: RunDirectory) -> None:
    left = run.checkpoints / ".step-00000001.tmp"
    left.mkdir()
    (left / "model.safetensors").write_bytes(b"half")
    save(run, 1, ["best", "last"])
    assert not left.exists()


def test_a_line_cut_short_by_a_crash_is_dropped(run: RunDirectory) -> None:
    for step in (1, 2, 3):
        run.log({"step": step})
    run.metrics.write_text(run.metrics.read_text(encoding="utf-8") + '{"step": 4, "los', encoding="utf-8")
    assert [line["step"] for line in run.records()] == [1, 2, 3]
    run.forget_after(2)
    assert run.metrics.read_text(encoding="utf-8") == '{"step": 1}\n{"step": 2}\n'


def test_environment_and_config_are_written_beside_the_checkpoints(student_run: Path) -> None:
    environment = json.loads((student_run / "env.json").read_text(encoding="utf-8"))
    assert environment["seed"] == 0
    assert environment["versions"]["torch"] == torch.__version__.split("+")[0]
    assert {"git_commit", "python", "platform", "device"} <= environment.keys()
    assert len(environment["teacher"]) == 12
    assert RunDirectory(student_run).config().name == "student"


def test_a_run_whose_teacher_was_trained_again_is_not_gone_on_with(student_run: Path, tmp_path: Path) -> None:
    shutil.copytree(student_run, tmp_path / "run", symlinks=True)
    taught_by = json.loads((student_run / "env.json").read_text(encoding="utf-8"))["teacher"]
    config = RunDirectory(tmp_path / "run").config()
    config = config.model_copy(update={"out": tmp_path, "name": "run", "resume": True})
    open_run(config, taught_by)
    with pytest.raises(UserError, match=r"the teacher has other weights .*, now 0123456789ab"):
        open_run(config, "0123456789ab")
    (tmp_path / "run" / "env.json").write_text("{}", encoding="utf-8")  # of before this was written down
    open_run(config, taught_by)
