import math

import pytest
import torch
from torch import Tensor

from tests.train.losses.views import SHAPES, views
from train.losses.skd_pair import SkdPairConfig


def cells(features: Tensor, valid: Tensor, side: int) -> list[list[float]]:
    """The maximum of each channel over the valid pixels of each cell that has one."""
    found = []
    for y in range(0, valid.shape[0], side):
        for x in range(0, valid.shape[1], side):
            inside = [
                (j, i)
                for j in range(y, min(y + side, valid.shape[0]))
                for i in range(x, min(x + side, valid.shape[1]))
                if valid[j, i]
            ]
            if inside:
                found.append([max(float(channel[j, i]) for j, i in inside) for channel in features])
    return found


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def naive(student: Tensor, teacher: Tensor, valid: Tensor, side: int) -> float:
    """Mean over images and pairs of cells of the squared difference of cosines, a pair at a time."""
    means = []
    for n in range(student.shape[0]):
        s, t = (cells(m[n], valid[n], side) for m in (student, teacher))
        squares = [(cosine(s[i], s[j]) - cosine(t[i], t[j])) ** 2 for i in range(len(s)) for j in range(len(s))]
        means.append(sum(squares) / len(squares))
    return sum(means) / len(means)


@pytest.mark.parametrize("pool", [1, 2, 5])
def test_value_is_that_of_the_formula(pool: int) -> None:
    seen = views()
    assert seen.teacher is not None
    assert seen.label is not None
    expected = naive(seen.student["fused"], seen.teacher["fused"], seen.label[:, 2::4, 2::4] != 255, pool)
    assert SkdPairConfig(pool=pool).build(SHAPES)(seen)["skd_pair"].item() == pytest.approx(expected, rel=1e-9)


def test_a_cell_without_a_valid_pixel_does_not_count() -> None:
    seen = views()
    assert seen.label is not None
    seen.label.fill_(0)
    loss = SkdPairConfig().build(SHAPES)
    whole = loss(seen)["skd_pair"]
    seen.label[:, :8, :8] = 255
    without = loss(seen)["skd_pair"]
    seen.student["fused"][:, :, :2, :2] = 100
    torch.testing.assert_close(loss(seen)["skd_pair"], without)
    assert whole != without
