"""One optimiser step."""

import torch
from torch import Tensor

from train import processes
from train.accumulation import backward_in_parts
from train.batch_norm import statistics
from train.data.batches import Batch
from train.finite import check_finite, checked_terms
from train.optimizer import learning_rate, set_learning_rate
from train.session import Session
from train.views import views


def train_step(session: Session, batch: Batch) -> dict[str, Tensor]:
    """Forward, backward, update; the terms of the loss, over the images of all processes.

    Raises:
        UserError: a loss or the gradient is not finite; the state before the step is saved.
    """
    begin(session)
    terms = (backward_in_parts if session.config.loop.accumulate > 1 else _backward)(session, batch)
    exchange(session)
    update(session)
    return terms


def begin(session: Session) -> None:
    """Make ready for the forward pass."""
    config, state = session.config, session.state
    set_learning_rate(state.optimizer, learning_rate(config.optimizer, state.step, config.loop.steps))
    state.optimizer.zero_grad(set_to_none=True)
    state.model.train()
    if processes.count() > 1:
        session.seed_noise()  # else all of them would drop the same


def exchange(session: Session) -> None:
    """Let all processes have the same gradients and statistics."""
    processes.average_gradients(session.parameters())
    if not session.config.loop.sync_batchnorm:
        processes.take_from_first([*statistics(session.state.model), *statistics(session.state.losses)])


def update(session: Session) -> None:
    """Move the weights along the gradients that are there."""
    state = session.state
    state.scaler.unscale_(state.optimizer)
    norm = torch.nn.utils.clip_grad_norm_(session.parameters(), session.config.optimizer.clip_norm or float("inf"))
    if not session.precision.scales:  # scaled fp16 gradients may overflow: the scaler skips that step
        check_finite(session, norm, {"the gradient": norm})
    state.scaler.step(state.optimizer)
    state.scaler.update()
    if state.average is not None:
        state.average.update_parameters(state.model)
    state.step += 1


def _backward(session: Session, batch: Batch) -> dict[str, Tensor]:
    state = session.state
    with session.precision.autocast():
        needs, context = state.losses.needs, session.teaching_context()
        seen = views(batch, session.student, session.teaching, needs, context)
        total, terms = state.losses(seen, state.step, session.config.loop.steps)
    terms = checked_terms(session, total, terms)
    state.scaler.scale(total).backward()
    return terms
