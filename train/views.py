"""Run the networks over a batch: what the losses asked for, and nothing else."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
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

    @classmethod
    def joined(cls, parts: "Sequence[Frames]") -> "Frames":
        """What was shown of the parts of a batch, as of the whole."""
        neighbours = [part.neighbour for part in parts if part.neighbour is not None]
        return cls(Taps.joined([part.key for part in parts]), Taps.joined(neighbours) if neighbours else None)

    def maps(self) -> list[Tensor]:
        """All maps of both."""
        return [found for taps in self if taps is not None for found in taps.maps.values()]


def views(
    batch: Batch,
    student: SegmentationNetwork,
    teacher: SegmentationNetwork | None,
    needs: Needs,
    of_teacher: AbstractContextManager[object] | None = None,
) -> Views:
    """What the losses are given of a batch; ``of_teacher`` is the context of the teacher's forward pass."""
    return assemble(batch, shown(batch, student, needs), taught(batch, teacher, needs, of_teacher), student, needs)


def shown(batch: Batch, student: SegmentationNetwork, needs: Needs) -> Frames:
    """The taps of the student, with a way back for the gradient."""
    return _frames(student, batch, needs.student, needs.neighbour_student)


def taught(
    batch: Batch,
    teacher: SegmentationNetwork | None,
    needs: Needs,
    context: AbstractContextManager[object] | None = None,
) -> Frames | None:
    """The taps of the teacher, in a context of its own; None where no loss listens to it."""
    if teacher is None or not (needs.teacher or needs.neighbour_teacher):
        return None
    with torch.inference_mode(), context or nullcontext():
        frames = _frames(teacher, batch, needs.teacher, needs.neighbour_teacher)
    # What inference mode gives may not be saved for the student's backward pass; a copy may.
    return frames.map(torch.clone)


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
    taps = teacher.key if teacher else None
    return Views(student.key, taps, batch.label, image, neighbour, batch.valid, batch.labelled)


def _frames(network: SegmentationNetwork, batch: Batch, key: frozenset[Tap], neighbour: frozenset[Tap]) -> Frames:
    """Both frames go through in one pass, so that batch norm sees them as one batch."""
    if not neighbour or batch.neighbour is None:
        return Frames(network(batch.image, key), None)
    images = torch.cat([batch.image, batch.neighbour])
    return Frames(*network(images, key | neighbour).split(len(batch.image)))


def _normalised(image: Tensor, network: SegmentationNetwork) -> Tensor:
    return (image.float() - network.mean) / network.std
