from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.train.same import assert_same_tensors
from train.checkpoint_files import write_files
from train.config import RunConfig
from train.errors import UserError
from train.session import Session, open_session
from train.settings import load_config
from train.step import train_step

Options = Callable[..., list[str]]


def opened(arguments: list[str]) -> Session:
    session = open_session(load_config(RunConfig, "test", arguments))
    # As fp16 on a GPU has it: scales that move with the steps.
    session.state.scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)
    return session


def test_every_part_of_the_state_comes_back(options: Options, tmp_path: Path) -> None:
    changes = {"optimizer__ema_decay": 0.9, "loop__steps": 3}
    session, other = (opened(options(name, tmp_path, **changes)) for name in ("a", "b"))
    for batch in session.batches():
        train_step(session, batch)
    session.state.best_miou, session.state.best_step = 0.5, 2
    assert session.state.scaler.get_scale() == 16
    (tmp_path / "saved").mkdir()
    write_files(tmp_path / "saved", session.state.evaluated.state_dict(), session.state.state_dict())
    torch.manual_seed(99)
    other.state.restore(tmp_path / "saved")
    assert_same_tensors(other.state.state_dict(), session.state.state_dict())
    assert_same_tensors(other.state.evaluated.state_dict(), session.state.evaluated.state_dict())
    assert (other.state.step, other.state.best_step, other.state.best_miou) == (3, 2, 0.5)


def test_the_state_of_another_training_is_refused(options: Options, tmp_path: Path) -> None:
    session, other = (opened(options(name, tmp_path, optimizer__name=name, loop__steps=1)) for name in ("sgd", "adamw"))
    state = session.state.state_dict() | {"optimizer": {"state": {}, "param_groups": []}}
    (tmp_path / "saved").mkdir()
    write_files(tmp_path / "saved", session.state.evaluated.state_dict(), state)
    with pytest.raises(UserError, match="the state of another run") as raised:
        other.state.restore(tmp_path / "saved")
    assert "\n" not in str(raised.value)
