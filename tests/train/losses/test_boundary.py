import math

import pytest
import torch
from torch import Tensor

from tests.train.losses.test_bpkd import blocks
from tests.train.losses.views import CLASSES, SHAPES, taps
from train.losses.boundary import Boundary, BoundaryConfig, boundaries
from train.losses.bpkd import edges
from train.losses.contract import Views
from train.models.tap_shapes import TapShapes, tap_shapes
from train.models.taps import Taps


def seen(label: Tensor) -> Views:
    return Views(taps(1, SHAPES.student), None, label)


def saying(found: Tensor, **changes: float) -> tuple[Boundary, Views]:
    """A loss whose head says ``found`` ``(N, h, w)``, and labels in blocks."""
    loss = BoundaryConfig.model_validate(changes).build(SHAPES).double().eval()
    loss.head = torch.nn.Identity()  # type: ignore[assignment]
    views = seen(blocks())
    return loss, Views(Taps({**views.student.maps, "stride:8": found[:, None]}), None, views.label)


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_a_boundary_is_the_edge_of_any_class(radius: int) -> None:
    assert torch.equal(boundaries(blocks(), radius), edges(blocks(), CLASSES, radius).any(1))


def test_value_is_that_of_the_formula() -> None:
    label = blocks()
    found = 3 * torch.randn(*label.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    loss, views = saying(found, radius=1, threshold=0.6)
    logits = torch.nn.functional.interpolate(views.student.logits, label.shape[-2:], mode="bilinear")
    wanted = edges(label, CLASSES, 1).any(1)
    pixels = (label != 255).nonzero().tolist()
    share = sum(wanted[n, y, x].item() for n, y, x in pixels) / len(pixels)
    edge, classes = [], []
    for n, y, x in pixels:
        p = 1 / (1 + math.exp(-found[n, y, x].item()))
        edge.append(-(1 - share) * math.log(p) if wanted[n, y, x] else -share * math.log(1 - p))
        if p > 0.6:
            classes.append(-logits[n, :, y, x].log_softmax(0)[int(label[n, y, x])].item())
    terms = loss(views)
    assert terms["boundary.edge"].item() == pytest.approx(20 * sum(edge) / len(edge), rel=1e-9)
    assert terms["boundary.class"].item() == pytest.approx(sum(classes) / len(classes), rel=1e-9)


def test_a_head_that_finds_nothing_leaves_the_classes_alone() -> None:
    loss, views = saying(torch.full(blocks().shape, -9.0, dtype=torch.float64))
    terms = loss(views)
    assert terms["boundary.class"] == 0
    assert terms["boundary.edge"] > 0


def test_the_head_reads_the_branch_of_pidnet_that_the_paper_names() -> None:
    from train.models.pidnet import pidnet_s

    tap = "module:encoder.difference2"
    shapes = tap_shapes(pidnet_s(CLASSES), [tap])
    assert (shapes[tap].channels, shapes[tap].stride) == (64, 8)
    loss = BoundaryConfig(student_tap=tap).build(TapShapes(CLASSES, shapes, {}))
    # As published: 64 channels to 32 by 3 x 3, to 1 by 1 x 1, with two normalisations.
    assert sum(parameter.numel() for parameter in loss.parameters()) == 64 * 32 * 9 + 32 + 1 + 2 * (64 + 32)
