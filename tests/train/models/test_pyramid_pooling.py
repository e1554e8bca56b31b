import pytest
import torch
from torch import nn

from train.models.pyramid_pooling import DeepAggregationPyramidPooling, ParallelAggregationPyramidPooling

both = pytest.mark.parametrize("pooling", [DeepAggregationPyramidPooling, ParallelAggregationPyramidPooling])


@both
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (7, 11), (16, 32)])
def test_every_size_keeps_its_size(pooling: type[nn.Module], size: tuple[int, int]) -> None:
    network = pooling(8, 4, 6).eval()
    assert network(torch.randn(2, 8, *size)).shape == (2, 6, *size)


@both
def test_every_pixel_hears_of_every_other(pooling: type[nn.Module]) -> None:
    torch.manual_seed(0)
    image = torch.randn(1, 8, 24, 24, requires_grad=True)
    pooling(8, 4, 6).eval()(image)[0, :, 0, 0].sum().backward()
    assert image.grad is not None
    assert image.grad[0, :, -1, -1].abs().sum() > 0
