"""A loss or gradient that is not finite ends the training, and the state before the step is saved."""

import torch
from torch import Tensor

from train import processes
from train.session import Session


def checked_terms(session: Session, total: Tensor, terms: dict[str, Tensor]) -> dict[str, Tensor]:
    """The terms of a loss and their total, this process's part of each, to those of all processes.

    Raises:
        UserError: the total is not finite in one of them: said by all, so that none is left waiting.
    """
    if processes.count() > 1:
        parts = torch.stack([total, *terms.values()]).detach()
        total, *means = processes.total(parts) / processes.count()
        terms = dict(zip(terms, means, strict=True))
    check_finite(session, total, terms)
    return terms


def check_finite(session: Session, total: Tensor, terms: dict[str, Tensor]) -> None:
    """`UserError` unless the total is finite; it names the first term that is not."""
    if torch.isfinite(total):
        return
    run, state = session.run, session.state
    guilty = next((name for name, value in terms.items() if not torch.isfinite(value)), "the sum of the losses")
    complaint = f"{guilty} is not finite at step {state.step}: lower optimizer.lr or the loss's weight"
    if session.config.profile:  # there is no run to save a state in
        raise session.failure(complaint)
    name = f"failed-{state.step:08d}"
    if processes.is_first():
        run.write_checkpoint(name, state.evaluated.state_dict(), state.state_dict())
    raise session.failure(f"{complaint}; the state at that step is in {run.checkpoints / name}")
