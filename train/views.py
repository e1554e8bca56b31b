"""Run the networks over a batch: what the losses asked for, and nothing else."""

from typing import NamedTuple

import torch
from torch import Tensor

from train.data.batches import Batch
from train.losses.contract import Needs, Neighbour, Views
from train.models.smp import SmpNetwork
from train.models.taps import Tap, Taps


class Frames(NamedTuple):
    """The taps of a network on the images of a batch and on their neighbours."""

    key: Taps
    neighbour: Taps | None


def views(batch: Batch, student: SmpNetwork, teacher: SmpNetwork | None, needs: Needs) -> Views:
    """What the losses are given of a batch."""
    taught = _taught(batch, teacher, needs)
    return assemble(batch, _frames(student, batch, needs.student, needs.neighbour_student), taught, student, needs)


def assemble(batch: Batch, shown: Frames, taught: Frames | None, student: SmpNetwork, needs: Needs) -> Views:
    """Views from what both networks have shown."""
    neighbour = None
    if needs.neighbour and batch.neighbour is not None:
        neighbour = Neighbour(
            student=shown.neighbour or Taps({}),
            teacher=taught.neighbour if taught else None,
            image=_normalised(batch.neighbour, student) if needs.flow else None,
            flow=batch.flow if needs.flow else None,
            visible=batch.visible if needs.flow else None,
        )
    image = _normalised(batch.image, student) if needs.flow else None
    return Views(shown.key, taught.key if taught else None, batch.label, image, neighbour)


def _taught(batch: Batch, teacher: SmpNetwork | None, needs: Needs) -> Frames | None:
    if teacher is None or not (needs.teacher or needs.neighbour_teacher):
        return None
    # Not inference mode: what it gives may not be saved for the student's backward pass.
    with torch.no_grad():
        return _frames(teacher, batch, needs.teacher, needs.neighbour_teacher)


def _frames(network: SmpNetwork, batch: Batch, key: frozenset[Tap], neighbour: frozenset[Tap]) -> Frames:
    """Both frames go through in one pass, so that batch norm sees them as one batch."""
    if not neighbour or batch.neighbour is None:
        return Frames(network(batch.image, key), None)
    images = torch.cat([batch.image, batch.neighbour])
    return Frames(*network(images, key | neighbour).split(len(batch.image)))


def _normalised(image: Tensor, student: SmpNetwork) -> Tensor:
    return (image.float() - student.mean) / student.std
