import math
import statistics

import pytest
import torch
from torch import Tensor

from tests.train.losses.views import SHAPES, views
from train.losses.fitnet import Fitnet, FitnetConfig


def built(config: FitnetConfig) -> Fitnet:
    torch.manual_seed(0)
    return config.build(SHAPES).double().eval()


def naive(student: Tensor, teacher: Tensor, valid: Tensor, norm: str) -> float:
    """Mean of the squared differences, a pixel and a channel at a time."""
    squares: list[float] = []
    for n in range(student.shape[0]):
        pixels = valid[n].nonzero().tolist()
        maps = [[m[n, :, y, x].tolist() for y, x in pixels] for m in (student, teacher)]
        if norm == "l2":
            maps = [[[v / math.hypot(*pixel) for v in pixel] for pixel in m] for m in maps]
        if norm == "channel":
            statistics_of = [
                [(statistics.fmean(c), statistics.pvariance(c)) for c in zip(*m, strict=True)] for m in maps
            ]
            maps = [
                [[(v - mean) / (var + 1e-6) ** 0.5 for v, (mean, var) in zip(pixel, of, strict=True)] for pixel in m]
                for m, of in zip(maps, statistics_of, strict=True)
            ]
        for one, other in zip(*maps, strict=True):
            squares += [(a - b) ** 2 for a, b in zip(one, other, strict=True)]
    return statistics.fmean(squares)


@pytest.mark.parametrize("norm", ["none", "l2", "channel"])
def test_value_is_that_of_the_formula(norm: str) -> None:
    loss, seen = built(FitnetConfig(norm=norm)), views()
    assert seen.teacher is not None
    assert seen.label is not None
    adapted = loss.adapter(seen.student["fused"]).detach()
    expected = naive(adapted, seen.teacher["fused"], seen.label[:, 2::4, 2::4] != 255, norm)
    assert loss(seen)["fitnet"].item() == pytest.approx(expected, rel=1e-9)


def test_the_adapter_learns() -> None:
    loss = built(FitnetConfig()).train()
    loss(views())["fitnet"].backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in loss.parameters())


def test_channel_norm_looks_only_at_the_pattern() -> None:
    """Scale and offset of a teacher's channels are nothing that a student could want to know."""
    loss, seen = built(FitnetConfig(norm="channel")), views()
    assert seen.teacher is not None
    expected = loss(seen)["fitnet"]
    seen.teacher.maps["fused"] = 7 * seen.teacher["fused"] + 3
    torch.testing.assert_close(loss(seen)["fitnet"], expected, rtol=1e-5, atol=0)
