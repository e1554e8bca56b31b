"""Adaptive pooling at any size."""

import pytest
import torch
from torch import nn

from export.pooling import AdaptivePooling, replace_adaptive_pooling


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 6), (6, 5)])
@pytest.mark.parametrize("shape", [(6, 6), (7, 11), (1, 1), (2, 9), (13, 4)])
def test_it_is_pytorchs(size: tuple[int, int], shape: tuple[int, int]) -> None:
    features = torch.rand(2, 3, *shape, dtype=torch.float64)
    expected = nn.functional.adaptive_avg_pool2d(features, size)
    torch.testing.assert_close(AdaptivePooling(size)(features), expected)


def test_every_pooling_of_a_network_is_replaced() -> None:
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Sequential(nn.AdaptiveAvgPool2d((2, 3)), nn.ReLU()))
    modules = replace_adaptive_pooling(network).modules()
    assert [module.size for module in modules if isinstance(module, AdaptivePooling)] == [(1, 1), (2, 3)]
