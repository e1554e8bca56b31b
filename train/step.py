"""One optimiser step."""

import torch
from torch import Tensor

from train.data.batches import Batch
from train.optimizer import learning_rate, set_learning_rate
from train.session import Session
from train.views import views


def train_step(session: Session, batch: Batch) -> dict[str, Tensor]:
    """Forward, backward, update; the terms of the loss.

    Raises:
        UserError: a loss or the gradient is not finite; the state before the step is saved.
    """
    state = session.state
    begin(session)
    with session.precision.autocast():
        seen = views(batch, state.model, session.teacher, state.losses.needs)
        total: Tensor
        terms: dict[str, Tensor]
        total, terms = state.losses(seen, state.step, session.config.loop.steps)
    _check_finite(session, total, terms)
    state.scaler.scale(total).backward()  # type: ignore[no-untyped-call]
    update(session)
    return terms


def begin(session: Session) -> None:
    """Make ready for the forward pass."""
    config, state = session.config, session.state
    set_learning_rate(state.optimizer, learning_rate(config.optimizer, state.step, config.loop.steps))
    state.optimizer.zero_grad(set_to_none=True)
    state.model.train()


def update(session: Session) -> None:
    """Move the weights along the gradients that are there."""
    state = session.state
    state.scaler.unscale_(state.optimizer)
    parameters = [parameter for group in state.optimizer.param_groups for parameter in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(parameters, session.config.optimizer.clip_norm or float("inf"))
    if not session.precision.scales:  # scaled fp16 gradients may overflow: the scaler skips that step
        _check_finite(session, norm, {"the gradient": norm})
    state.scaler.step(state.optimizer)
    state.scaler.update()
    if state.average is not None:
        state.average.update_parameters(state.model)
    state.step += 1


def _check_finite(session: Session, total: Tensor, terms: dict[str, Tensor]) -> None:
    if torch.isfinite(total):
        return
    run, state = session.run, session.state
    guilty = next((name for name, value in terms.items() if not torch.isfinite(value)), "the sum of the losses")
    complaint = f"{guilty} is not finite at step {state.step}: lower optimizer.lr or the loss's weight"
    if session.config.profile:  # there is no run to save a state in
        raise session.failure(complaint)
    folder = run.write_checkpoint(f"failed-{state.step:08d}", state.evaluated.state_dict(), state.state_dict())
    raise session.failure(f"{complaint}; the state at that step is in {folder}")
