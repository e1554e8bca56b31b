import pytest
import torch
from torch import Tensor

from kernels import channel_attention


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_channels_attend_to_those_least_like_them(temperature: float) -> None:
    features = randn(1, 2, 4, 3, 5)
    attended = channel_attention(features, temperature=temperature)
    for n in range(2):
        flat = features[n].flatten(1)
        for a in range(4):
            energy = torch.stack([flat[a] @ flat[b] for b in range(4)])
            weights = ((energy.max() - energy) / temperature).exp()
            expected = sum(weights[b] / weights.sum() * flat[b] for b in range(4))
            torch.testing.assert_close(attended[n, a].flatten(), expected)
