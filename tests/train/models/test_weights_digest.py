import torch
from torch import nn

from train.models.weights_digest import weights_digest


def network(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def test_two_are_the_same_where_all_is_the_same_bit_for_bit() -> None:
    one, other = network(), network()
    assert weights_digest(one) == weights_digest(other)
    assert weights_digest(one) == weights_digest(other.to(memory_format=torch.channels_last))
    assert weights_digest(one) != weights_digest(network(1))
    one[1].running_mean[0] += 1e-7  # a statistic is learnt as well
    assert weights_digest(one) != weights_digest(other)
