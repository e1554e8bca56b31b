"""Run the networks over a batch: what the losses asked for, and nothing else."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from train.data.batches import Batch
from train.losses.contract import Needs, Neighbour, Views
from train.models.network import SegmentationNetwork
from train.models.taps import Tap, Taps


class Frames(NamedTuple):
    """What a network shows of the images of a batch, and of their neighbours."""

    key: Taps
    neighbour: Taps | None

    def map(self, change: Callable[[Tensor], Tensor]) -> "Frames":
        """The same with every map changed."""
        return Frames(self.key.map(change), self.neighbour and self.neighbour.map(change))

    def maps(self) -> list[Tensor]:
        """All maps of both."""
        return [found for taps in self if taps is not None for found in taps.maps.values()]


def views(batch: Batch, student: SegmentationNetwork, teacher: SegmentationNetwork | None, needs: Needs) -> Views:
    """What the losses are given of a batch."""
    return assemble(batch, shown(batch, student, needs), taught(batch, teacher, needs), student, needs)


def shown(batch: Batch, student: SegmentationNetwork, needs: Needs) -> Frames:
    """The taps of the student, with a way back for the gradient."""
    return _frames(student, batch, needs.student, needs.neighbour_student)


def taught(batch: Batch, teacher: SegmentationNetwork | None, needs: Needs) -> Frames | None:
    """The taps of the teacher; None where no loss listens to it."""
    if teacher is None or not (needs.teacher or needs.neighbour_teacher):
        return None
    # Not inference mode: what it gives may not be saved for the student's backward pass.
    with torch.no_grad():
        return _frames(teacher, batch, needs.teacher, needs.neighbour_teacher)


def assemble(
    batch: Batch, student: Frames, teacher: Frames | None, network: SegmentationNetwork, needs: Needs
) -> Views:
    """Views of what both have shown; ``network`` is the student, in whose units images are given."""
    image, neighbour = None, None
    if needs.flow:
        image = _normalised(batch.image, network)
    if student.neighbour is not None and batch.neighbour is not None:
        neighbour = Neighbour(
            student=student.neighbour,
            teacher=teacher.neighbour if teacher else None,
            image=_normalised(batch.neighbour, network) if needs.flow else None,
            flow=batch.flow,
            visible=batch.visible,
            valid=batch.neighbour_valid,
        )
    return Views(student.key, teacher.key if teacher else None, batch.label, image, neighbour, batch.valid)


def _frames(network: SegmentationNetwork, batch: Batch, key: frozenset[Tap], neighbour: frozenset[Tap]) -> Frames:
    """Both frames go through in one pass, so that batch norm sees them as one batch."""
    if not neighbour or batch.neighbour is None:
        return Frames(network(batch.image, key), None)
    images = torch.cat([batch.image, batch.neighbour])
    return Frames(*network(images, key | neighbour).split(len(batch.image)))


def _normalised(image: Tensor, network: SegmentationNetwork) -> Tensor:
    return (image.float() - network.mean) / network.std
