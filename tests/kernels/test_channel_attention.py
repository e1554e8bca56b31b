import pytest
import torch
from torch import Tensor

from kernels import channel_attention
from kernels.channel_attention import reference_channel_attention


def randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gradient_is_that_of_the_definition() -> None:
    features = randn(1, 2, 4, 3, 5).requires_grad_()
    found, expected = channel_attention(features), reference_channel_attention(features)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(*(torch.autograd.grad(m.pow(3).sum(), features)[0] for m in (found, expected)))


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
