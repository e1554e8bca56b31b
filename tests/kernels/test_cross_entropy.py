import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kernels import cross_entropy


def rand(seed: int, *shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def label() -> Tensor:
    label = (3 * rand(1, 2, 6, 5)).to(torch.uint8)
    label[rand(2, 2, 6, 5) < 0.3] = 255
    return label


def naive(logits: Tensor, label: Tensor) -> float:
    """The formula, a pixel and a class at a time."""
    losses = []
    for n, y, x in (label != 255).nonzero().tolist():
        z = logits[n, :, y, x].tolist()
        losses.append(max(z) + math.log(sum(math.exp(v - max(z)) for v in z)) - z[int(label[n, y, x])])
    return sum(losses) / len(losses)


def test_is_the_mean_over_valid_pixels(label: Tensor) -> None:
    logits = 6 * rand(3, 2, 3, 6, 5)
    assert cross_entropy(logits, label).item() == pytest.approx(naive(logits, label), rel=1e-12)


@pytest.mark.parametrize("align_corners", [False, True])
def test_low_resolution_logits_are_upsampled_to_the_label(label: Tensor, align_corners: bool) -> None:
    logits = 6 * rand(3, 2, 3, 3, 2)
    upsampled = F.interpolate(logits, (6, 5), mode="bilinear", align_corners=align_corners)
    loss = cross_entropy(logits, label, align_corners=align_corners)
    assert loss.item() == pytest.approx(naive(upsampled, label), rel=1e-12)
