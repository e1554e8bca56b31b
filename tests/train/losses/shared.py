"""The losses on a batch that is one process's, or is shared among several."""

from typing import NamedTuple

import torch
from torch import Tensor

from tests.train.losses.cases import CASES
from tests.train.losses.views import SHAPES, each_map, each_tensor, student_maps, views
from train import processes
from train.batch_norm import synchronise
from train.losses.contract import Views


class Learnt(NamedTuple):
    """Of one loss: its terms, what flows back, and what it remembers."""

    terms: dict[str, Tensor]
    """Means over the processes."""
    maps: list[Tensor]
    """Gradients at the student's maps of this process's images."""
    parameters: dict[str, Tensor]
    """Gradients."""
    buffers: dict[str, Tensor]


def learnt_of_all() -> dict[str, Learnt]:
    """By name of the case, two steps each, so that what was remembered in the first one counts."""
    return {name: _learnt(name, steps=2) for name in CASES}


def _learnt(name: str, steps: int) -> Learnt:
    torch.manual_seed(0)
    loss = CASES[name].config.build(SHAPES).double().train()
    if processes.count() > 1:
        synchronise(loss, torch.device("cpu"))
    for _ in range(steps):
        loss.zero_grad()
        seen = each_map(each_tensor(_uneven(), processes.own_images), lambda m: m.clone().requires_grad_())
        terms = loss(seen)
        sum(terms.values(), torch.zeros(())).backward()
        processes.average_gradients(loss.parameters())
    return Learnt(
        {term: processes.total(value.detach()) / processes.count() for term, value in terms.items()},
        [torch.zeros_like(m) if m.grad is None else m.grad / processes.count() for m in student_maps(seen)],
        {key: p.grad for key, p in loss.named_parameters() if p.grad is not None},
        dict(loss.named_buffers()),
    )


def _uneven() -> Views:
    """A batch of four: the second pair of images has far fewer valid pixels, and the last one none."""
    seen = views()
    assert seen.label is not None
    seen.label[2, : seen.label.shape[1] // 2] = 255
    seen.label[3] = 255
    return seen
