import math

import pytest
import torch
from torch import Tensor

from tests.train.losses.views import CLASSES, SHAPES, labels, views
from train.losses.bpkd import BpkdConfig, edges


def naive_edges(label: Tensor, radius: int) -> Tensor:
    """A pixel is on the edge of a class where the square around it holds valid pixels of that class and of others."""
    found = torch.zeros(label.shape[0], CLASSES, *label.shape[1:], dtype=torch.bool)
    for n, y, x in (label != 255).nonzero().tolist():
        window = label[n, max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1].flatten().tolist()
        present = {k for k in window if k != 255}
        if len(present) > 1:
            found[n, list(present), y, x] = True
    return found


def kl(teacher: list[float], student: list[float], tau: float) -> float:
    p, q = ([math.exp(z / tau) for z in values] for values in (teacher, student))
    pairs = [(a / sum(p), b / sum(q)) for a, b in zip(p, q, strict=True)]
    return tau**2 * sum(a * math.log(a / b) for a, b in pairs)


def naive(student: Tensor, teacher: Tensor, label: Tensor, config: BpkdConfig) -> tuple[float, float]:
    """(body, edge) without their λ."""
    on_edge, tau = naive_edges(label, config.radius), config.temperature
    bodies = []
    for n in range(student.shape[0]):
        pixels = (label[n] != 255).nonzero().tolist()
        for c in range(CLASSES):
            t, s = ([0 if on_edge[n, c, y, x] else m[n, c, y, x].item() for y, x in pixels] for m in (teacher, student))
            bodies.append(kl(t, s, tau))
    of_classes = []
    for c in range(CLASSES):
        pixels = on_edge[:, c].nonzero().tolist()
        found = [kl(teacher[n, :, y, x].tolist(), student[n, :, y, x].tolist(), tau) for n, y, x in pixels]
        of_classes += [sum(found) / len(found)] if found else []
    return sum(bodies) / len(bodies), sum(of_classes) / len(of_classes)


def blocks() -> Tensor:
    """Labels with bodies and edges, and no pixel of the last class."""
    label = torch.zeros_like(labels())
    label[:, :, 12:] = 1
    label[1, 20:, :8] = 2
    label[labels() == 255] = 255
    return label


@pytest.mark.parametrize(("radius", "tau"), [(1, 1.0), (2, 4.0)])
def test_value_is_that_of_the_formula(radius: int, tau: float) -> None:
    seen, config = views(), BpkdConfig(radius=radius, temperature=tau)
    assert seen.teacher is not None
    assert seen.label is not None
    seen.label.copy_(blocks())
    body, edge = naive(seen.student.logits, seen.teacher.logits, blocks()[:, 2::4, 2::4], config)
    terms = config.build(SHAPES)(seen)
    assert terms["bpkd.body"].item() == pytest.approx(20 * body, rel=1e-9)
    assert terms["bpkd.edge"].item() == pytest.approx(50 * edge, rel=1e-9)


@pytest.mark.parametrize("radius", [1, 3])
def test_edges_are_dilation_less_erosion(radius: int) -> None:
    label = blocks()
    assert torch.equal(edges(label, CLASSES, radius), naive_edges(label, radius))


def test_without_a_border_there_is_only_a_body() -> None:
    seen = views()
    assert seen.label is not None
    seen.label.masked_fill_(seen.label != 255, 1)
    terms = BpkdConfig().build(SHAPES)(seen)
    assert terms["bpkd.edge"] == 0
    assert terms["bpkd.body"] > 0
