"""Gradient accumulation: a batch goes through the networks in parts, and through the losses as a whole."""

import torch
from torch import Tensor

from train.batch_norm import without_statistics
from train.data.batches import Batch
from train.finite import checked_terms
from train.session import Session
from train.views import Frames, assemble, shown, taught


def backward_in_parts(session: Session, batch: Batch) -> dict[str, Tensor]:
    """The gradient of the whole batch, in the memory of a part; the terms of the loss.

    The student runs twice: first without a way back, to show the losses all images; then a part at a time, for the
    gradient that they have sent back to its maps. So every loss gets the batch that it would have got at once: means
    are over all pixels, images are compared with all others, memories are filled once. Only batch norm sees the parts
    one by one, as in any accumulation. (Gao et al., https://arxiv.org/abs/2101.06983, for contrastive losses.)

    Raises:
        UserError: a loss is not finite.
    """
    state, needs, parts = session.state, session.state.losses.needs, _split(batch, session.config.loop.accumulate)
    with session.precision.autocast():
        with torch.no_grad(), without_statistics(state.model):
            student = Frames.joined([_shown(session, part, number) for number, part in enumerate(parts)])
        leaves = student.map(lambda found: found.detach().requires_grad_())
        seen = assemble(batch, leaves, _taught(session, parts), state.model, needs)
        total, terms = state.losses(seen, state.step, session.config.loop.steps)
    terms = checked_terms(session, total, terms)
    state.scaler.scale(total).backward()
    gradients = [None if leaf.grad is None else leaf.grad.chunk(len(parts)) for leaf in leaves.maps()]
    for number, part in enumerate(parts):
        with session.precision.autocast():
            maps = _shown(session, part, number).maps()
        reached = [(found, of[number]) for found, of in zip(maps, gradients, strict=True) if of is not None]
        torch.autograd.backward([found for found, _ in reached], [gradient for _, gradient in reached])
    return terms


def _split(batch: Batch, count: int) -> list[Batch]:
    fields = [field.chunk(count) if isinstance(field, Tensor) else [field] * count for field in batch]
    return [Batch(*part) for part in zip(*fields, strict=True)]


def _shown(session: Session, part: Batch, number: int) -> Frames:
    """The same each time: with the same dropout."""
    session.seed_noise(number)
    return shown(part, session.student, session.state.losses.needs)


def _taught(session: Session, parts: list[Batch]) -> Frames | None:
    needs = session.state.losses.needs
    found = [taught(part, session.teaching, needs, session.teaching_context()) for part in parts]
    frames = [part for part in found if part is not None]
    return Frames.joined(frames) if frames else None
