"""How a step divides, and that cutting it at the taps changes nothing that is learnt."""

from collections.abc import Callable
from pathlib import Path

import torch

from train import distill
from train.config import RunConfig
from train.profile import StepTimes, _timed_step, distillation, table
from train.session import Session, open_session
from train.settings import load_config
from train.step import train_step

Options = Callable[..., list[str]]
LOSSES = '[{"name": "cross_entropy"}, {"name": "kd"}, {"name": "fckd", "on": "features"}]'


def session(options: Options, teacher_run: Path, tmp_path: Path, name: str) -> Session:
    sgd = {"optimizer__name": "sgd"}  # Adam would make a whole step of a rounding error
    arguments = options(name, tmp_path, losses=LOSSES, teacher__run=teacher_run, loop__steps=2, **sgd)
    return open_session(load_config(RunConfig, "test", arguments))


def test_a_timed_step_learns_what_a_plain_one_does(options: Options, teacher_run: Path, tmp_path: Path) -> None:
    plain, timed = (session(options, teacher_run, tmp_path, name) for name in ("plain", "timed"))
    times = StepTimes(timed.device)
    for batch, same in zip(plain.batches(), timed.batches(), strict=True):
        torch.manual_seed(0)  # of dropout
        train_step(plain, batch)
        torch.manual_seed(0)
        times.next_step()
        _timed_step(timed, same, times)
    for of_plain, of_timed in ((plain.state.model, timed.state.model), (plain.state.losses, timed.state.losses)):
        for key, value in of_plain.state_dict().items():
            torch.testing.assert_close(of_timed.state_dict()[key], value, atol=1e-4, rtol=1e-3, msg=key)


def test_profile_prints_shares_and_makes_no_run(  # type: ignore[no-untyped-def]
    options: Options, teacher_run: Path, tmp_path: Path, cli
) -> None:
    arguments = options("a", tmp_path, losses=LOSSES, teacher__run=teacher_run, loop__steps=23)
    ended = cli(distill.main, [*arguments, "--profile"])
    assert ended.code == 0
    for part in ("data wait", "teacher", "student forward", "loss kd", "loss fckd", "optimiser", "images/s"):
        assert part in ended.out
    assert not (tmp_path / "a").exists()


def test_profile_of_what_is_not_finite_is_one_line(  # type: ignore[no-untyped-def]
    options: Options, teacher_run: Path, tmp_path: Path, cli
) -> None:
    huge = '[{"name": "kd", "weight": 1e45}]'
    ended = cli(distill.main, [*options("a", tmp_path, losses=huge, teacher__run=teacher_run), "--profile"])
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "the gradient is not finite at step 0" in ended.err
    assert not (tmp_path / "a").exists()


def test_profile_asks_for_enough_steps(options: Options, tmp_path: Path, cli) -> None:  # type: ignore[no-untyped-def]
    ended = cli(distill.main, [*options("a", tmp_path, loop__steps=2), "--profile"])
    assert ended.code == 2
    assert "loop.steps: 2: profile times 23 steps" in ended.err


def test_shares_add_up(options: Options, teacher_run: Path, tmp_path: Path) -> None:
    losses = session(options, teacher_run, tmp_path, "a").state.losses
    medians = {"data wait": 10.0, "teacher": 40.0, "student forward": 20.0, "student backward": 20.0}
    medians |= {"loss cross_entropy": 2.0, "loss kd": 3.0, "loss fckd": 5.0}
    assert distillation(medians, losses) == 8.0
    rows = table(medians, losses, batch_size=8)
    assert [cell for column in rows.columns[-1:] for cell in column.cells][-2:] == ["10.0%", "125.0%"]
