from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from train import distill
from train.checkpoint import load_run
from train.checkpoint_files import load_state, load_weights
from train.config import RunConfig
from train.run_directory import RunDirectory
from train.session import open_session
from train.settings import load_config
from train.step import train_step

Options = Callable[..., list[str]]
DISTILLATION = '[{"name": "cross_entropy"}, {"name": "kd"}, {"name": "fckd"}]'


def test_student_learns_and_every_term_is_on_record(student_run: Path) -> None:
    logged = [line for line in RunDirectory(student_run).records() if "losses" in line]
    assert [line["step"] for line in logged] == list(range(1, 25))
    assert set(logged[0]["losses"]) == {"cross_entropy", "kd", "fckd.spatial", "fckd.channel"}
    first, last = (sum(line["losses"]["cross_entropy"] for line in part) for part in (logged[:4], logged[-4:]))
    assert last < 0.8 * first
    assert logged[-1]["lr"] < 0.01
    assert all(line["samples_per_s"] > 0 for line in logged)


def test_a_run_is_scored_saved_and_reported(student_run: Path) -> None:
    run = RunDirectory(student_run)
    scored = [line for line in run.records() if "miou" in line]
    assert [(line["step"], line["split"]) for line in scored] == [(12, "val"), (24, "val")]
    assert scored[-1]["miou"] > 0
    assert load_state(run.checkpoint("last"))["best_miou"] == max(line["miou"] for line in scored)
    steps = sorted(path.name for path in run.checkpoints.glob("step-*"))
    assert steps == ["step-00000012", "step-00000024"]
    assert {run.checkpoint(which).resolve().name for which in ("last", "best")} <= set(steps)
    assert (student_run / "report.html").is_file()


def test_config_of_a_run_starts_the_same_run_again(student_run: Path) -> None:
    config = RunDirectory(student_run).config()
    assert config.data.classes[:2] == ["sky", "building"]
    assert load_config(RunConfig, "test", [str(student_run / "config.yaml")]) == config


def test_teacher_is_never_changed(options: Options, teacher_run: Path, tmp_path: Path) -> None:
    arguments = options("a", tmp_path, losses=DISTILLATION, teacher__run=teacher_run, loop__steps=2)
    session = open_session(load_config(RunConfig, "test", arguments))
    assert session.teacher is not None
    taught = {key: value.clone() for key, value in session.teacher.state_dict().items()}
    before = {key: value.clone() for key, value in session.state.model.state_dict().items()}
    for batch in session.batches():
        train_step(session, batch)
    assert not session.teacher.training
    for key, value in load_run(teacher_run).network.state_dict().items():
        assert torch.equal(taught[key], value), key
        assert torch.equal(session.teacher.state_dict()[key], value), key
    changed = [key for key, value in session.state.model.state_dict().items() if not torch.equal(before[key], value)]
    assert {"classifier.weight", "encoder.model.conv_stem.weight"} <= set(changed)


def test_a_student_starts_the_same_with_and_without_a_teacher(
    options: Options, teacher_run: Path, tmp_path: Path
) -> None:
    alone = open_session(load_config(RunConfig, "test", options("a", tmp_path)))
    arguments = options("b", tmp_path, losses=DISTILLATION, teacher__run=teacher_run)
    taught = open_session(load_config(RunConfig, "test", arguments))
    for key, value in alone.state.model.state_dict().items():
        assert torch.equal(taught.state.model.state_dict()[key], value), key


def test_non_finite_loss_names_term_and_step_and_keeps_the_last_good_state(  # type: ignore[no-untyped-def]
    options: Options, teacher_run: Path, tmp_path: Path, cli
) -> None:
    # The weight of kd grows from 0 beyond what float32 holds, so the first steps are good.
    kd = '{"name": "kd", "weight": 1e45, "schedule": {"kind": "warmup", "steps": 1000}}'
    losses = f'[{{"name": "cross_entropy"}}, {kd}]'
    arguments = options("a", tmp_path, losses=losses, teacher__run=teacher_run, loop__steps=4, loop__save_every=1)
    ended = cli(distill.main, arguments)
    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "kd is not finite at step 1" in ended.err
    run = RunDirectory(tmp_path / "a")
    for folder in (run.checkpoint("last"), run.checkpoints / "failed-00000001"):
        assert str(folder.name) == "last" or str(folder) in ended.err
        assert load_state(folder)["step"] == 1
        assert all(torch.isfinite(value).all() for value in load_weights(folder).values())


@pytest.mark.parametrize("steps", [1, 3])
def test_weights_that_are_not_finite_never_become_a_checkpoint(  # type: ignore[no-untyped-def]
    options: Options, tmp_path: Path, cli, steps: int
) -> None:
    changes = {"optimizer__lr": "inf", "optimizer__warmup_steps": 0}
    ended = cli(distill.main, options("a", tmp_path, loop__steps=steps, loop__save_every=1, **changes))
    assert ended.code == 2
    assert "is not finite after step 1" in ended.err
    assert not (tmp_path / "a" / "checkpoints" / "last").exists()
