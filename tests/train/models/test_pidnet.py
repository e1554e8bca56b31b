"""PIDNet-S is as large as published, and its fusions choose as they should."""

import pytest
import torch
from torch import Tensor, nn

from train.models.branches import Branches
from train.models.build import cost
from train.models.pidnet import pidnet_s


def test_parameters_and_multiplications_are_the_published() -> None:
    with torch.device("meta"):
        size = cost(pidnet_s(19), (1024, 2048))
    assert size.parameters == pytest.approx(7.6e6, rel=0.01)
    assert size.macs == pytest.approx(47.6e9, rel=0.01)


def identity(convolution: nn.Module) -> None:
    """Channel i of the result is channel i of what is read, as far as there are both."""
    nn.init.dirac_(convolution.get_parameter("0.weight"))


def flat(value: float, channels: int, side: int) -> Tensor:
    return torch.full((1, channels, side, side), value)


@pytest.mark.parametrize(("boundary", "expected"), [(50.0, 2 * 3.0 + 5.0), (-50.0, 3.0 + 2 * 5.0)])
def test_details_count_more_at_a_boundary_and_context_elsewhere(boundary: float, expected: float) -> None:
    decoder = pidnet_s(5).eval().decoder
    decoder.pyramid = nn.Identity()
    for name in ("convolve_detail", "convolve_context"):
        identity(decoder.get_submodule(name))
    context = [(64, flat(5.0, 128, 1))]
    branches = Branches([], flat(0.0, 64, 8), flat(3.0, 128, 8), context, flat(boundary, 128, 8))
    with torch.inference_mode():
        fused = decoder(branches)
    assert fused.shape == (1, 128, 8, 8)
    torch.testing.assert_close(fused, torch.full_like(fused, expected), rtol=1e-3, atol=0)


@pytest.mark.parametrize(("detail", "expected"), [(3.0, 5.0), (-3.0, -3.0)])
def test_context_enters_where_it_agrees_with_the_details(detail: float, expected: float) -> None:
    attention = pidnet_s(5).eval().encoder.get_submodule("attention1")
    for name in ("compress", "embed_detail", "embed_context"):
        identity(attention.get_submodule(name))
    with torch.inference_mode():
        fused = attention(flat(detail, 64, 8), flat(5.0, 128, 4))
    torch.testing.assert_close(fused, torch.full_like(fused, expected), rtol=1e-3, atol=0)
