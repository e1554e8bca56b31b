"""Which images of a batch, and which of their pixels, a loss counts."""

from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional as F

from kernels.precision import accumulable
from kernels.valid import IGNORE_INDEX
from train.losses.contract import LossConfig, Views, label_of
from train.models.taps import Taps


def counted(views: Views, config: LossConfig, confidence: float) -> Views:
    """Views whose label, and whose neighbour's, is 255 wherever the loss of ``config`` is not to look.

    Args:
        views: of a whole batch.
        config: says which images count. A loss that needs labels has none for the others as it is.
        confidence: where an image has no label, only pixels count to which the teacher gives one class at least this
            probability; 0: all do.
    """
    if views.valid is None:
        return views
    if config.needs.labels:
        # Of classes that the teacher does not know it can teach nothing.
        return replace(views, label=_where(views.valid, views.label)) if config.needs.teacher else views

    def of(valid: Tensor, teacher: Taps | None) -> Tensor:
        if views.labelled is None:
            return valid
        labelled = views.labelled[:, None, None]
        if confidence and teacher is not None:
            valid = valid & (labelled | (_confidence(teacher.logits, valid) >= confidence))
        if config.images == "all":
            return valid
        return valid & (labelled if config.images == "labelled" else ~labelled)

    neighbour = views.neighbour
    if neighbour is not None and neighbour.valid is not None:
        neighbour = replace(neighbour, valid=of(neighbour.valid, neighbour.teacher))
    valid = of(views.valid, views.teacher)
    return replace(views, label=label_of(valid), valid=valid, neighbour=neighbour)


def _where(valid: Tensor, label: Tensor | None) -> Tensor | None:
    return None if label is None else torch.where(valid, label, IGNORE_INDEX)


def _confidence(logits: Tensor, like: Tensor) -> Tensor:
    """Largest softmax probability ``(N, H, W)`` of logits ``(N, C, h, w)``, at the resolution of ``like``."""
    probability = accumulable(logits).softmax(1).amax(1, keepdim=True)
    return F.interpolate(probability, like.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
