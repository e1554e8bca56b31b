"""DDRNet-23-slim is as large as published, and its branches hear each other."""

import pytest
import torch

from train.models.build import cost
from train.models.ddrnet import ddrnet_23_slim


def test_parameters_and_multiplications_are_the_published() -> None:
    with torch.device("meta"):
        size = cost(ddrnet_23_slim(19), (1024, 2048))
    assert size.parameters == pytest.approx(5.7e6, rel=0.01)
    assert size.macs == pytest.approx(36.3e9, rel=0.01)


@pytest.mark.parametrize(("of", "silenced"), [("stride:8", "context16"), ("stride:16", "detail1")])
def test_each_branch_hears_the_other(of: str, silenced: str) -> None:
    torch.manual_seed(0)
    network = ddrnet_23_slim(5).eval()
    image, taps = torch.rand(1, 3, 64, 64) * 255, frozenset({of})
    with torch.inference_mode():
        heard = network(image, taps)[of]
        network.encoder.get_submodule(silenced).register_forward_hook(lambda *given: torch.zeros_like(given[-1]))
        assert not torch.allclose(network(image, taps)[of], heard)
