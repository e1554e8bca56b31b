import math

import pytest
import torch
from torch import Tensor

from tests.train.losses.views import CLASSES, SHAPES, views
from train.errors import UserError
from train.losses.contract import Views
from train.losses.ifvd import IfvdConfig


def variations(features: Tensor, label: Tensor) -> list[float]:
    """cos(F_i, mean of its class in the image), a class and a pixel at a time."""
    found = []
    for k in range(CLASSES):
        pixels = [features[:, y, x].tolist() for y, x in (label == k).nonzero().tolist()]
        mean = [sum(values) / len(pixels) for values in zip(*pixels, strict=True)]
        for pixel in pixels:
            product = sum(a * b for a, b in zip(pixel, mean, strict=True))
            found.append(product / (math.hypot(*pixel) * math.hypot(*mean)))
    return found


def test_value_is_that_of_the_formula() -> None:
    seen = views()
    assert seen.teacher is not None
    assert seen.label is not None
    squares = []
    for n, label in enumerate(seen.label[:, 2::4, 2::4]):
        s, t = (variations(of["fused"][n], label) for of in (seen.student, seen.teacher))
        squares += [(a - b) ** 2 for a, b in zip(s, t, strict=True)]
    expected = sum(squares) / len(squares)
    assert IfvdConfig().build(SHAPES)(seen)["ifvd"].item() == pytest.approx(expected, rel=1e-9)


def test_an_image_of_one_pixel_a_class_has_no_variation() -> None:
    seen = views(1, 2, 2)
    assert seen.label is not None
    seen.label.copy_(torch.arange(4).view(1, 2, 2).repeat_interleave(4, 1).repeat_interleave(4, 2))
    assert IfvdConfig().build(SHAPES)(seen)["ifvd"].item() == pytest.approx(0, abs=1e-20)


def test_labels_are_asked_for() -> None:
    seen = views()
    with pytest.raises(UserError, match="ifvd needs labels"):
        IfvdConfig().build(SHAPES)(Views(seen.student, seen.teacher, None))
