import io

import torch
from torch import Tensor

from train.losses.draws import Draws


def drawn(draws: Draws) -> Tensor:
    return torch.rand(5, generator=draws.generator())


def test_every_draw_is_another_one() -> None:
    draws = Draws(seed=1)
    assert not torch.equal(drawn(draws), drawn(draws))
    assert not torch.equal(drawn(Draws(seed=1)), drawn(Draws(seed=2)))


def test_the_same_whatever_else_is_drawn() -> None:
    torch.manual_seed(0)
    first = drawn(Draws(seed=1))
    torch.manual_seed(1)
    assert torch.equal(first, drawn(Draws(seed=1)))


def test_a_checkpoint_goes_on_where_it_was_saved() -> None:
    draws, file = Draws(seed=1), io.BytesIO()
    drawn(draws)
    torch.save(draws.state_dict(), file)
    resumed = Draws(seed=1)
    resumed.load_state_dict(torch.load(io.BytesIO(file.getvalue()), weights_only=True))
    assert torch.equal(drawn(draws), drawn(resumed))


def test_evaluation_draws_the_same_every_time_and_moves_nothing_on() -> None:
    draws = Draws(seed=1).eval()
    assert torch.equal(drawn(draws), drawn(draws))
    assert torch.equal(drawn(draws), drawn(Draws(seed=1)))
