"""Which networks can be pruned; that the numbers alone build them again is proven inside, each time."""

from typing import Any

import pytest

from tests.train.models.test_smp import SMALL
from train.checkpoint import TrainedNetwork
from train.config import RunConfig
from train.errors import UserError
from train.models.build import build_model, cost
from train.models.config import ModelConfig
from train.models.network import SegmentationNetwork
from train.pruning.search import search
from train.pruning.target import macs_target

SIZE = (128, 128)


def _halved(scope: Any = "layer", **model: object) -> tuple[SegmentationNetwork, SegmentationNetwork]:
    chosen = ModelConfig.model_validate(model)
    config = RunConfig.model_validate({"name": "a", "model": chosen, "data": {"size": SIZE}})
    network = build_model(chosen, 5).eval()
    target = macs_target("50%", cost(network, SIZE).macs)
    return network, search(TrainedNetwork(network, config, 0), target, scope).network


@pytest.mark.parametrize("scope", ["layer", pytest.param("network", marks=pytest.mark.slow)])
def test_an_encoder_with_depthwise_convolutions(scope: str) -> None:
    before, after = _halved(scope, architecture="deeplabv3plus", encoder="lcnet_035", decoder=SMALL["deeplabv3plus"])
    assert cost(after, SIZE).macs <= cost(before, SIZE).macs / 2


def test_group_norms_lose_as_many_in_each_group() -> None:
    decoder = {"decoder_pyramid_channels": 64, "decoder_segmentation_channels": 64}
    before, after = _halved(architecture="fpn", encoder="lcnet_035", decoder=decoder)
    assert cost(after, SIZE).macs <= cost(before, SIZE).macs / 2
    assert after.classifier.in_channels % 32 == 0


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["plain_s", "pidnet_s", "ddrnet_23_slim"])
def test_whole_networks_and_their_auxiliary_heads(architecture: str) -> None:
    before, after = _halved(architecture=architecture)
    assert cost(after, SIZE).macs <= cost(before, SIZE).macs / 2
    if before.auxiliary is not None:
        assert after.auxiliary[-1].out_channels == 5  # type: ignore[index, union-attr]


@pytest.mark.slow
@pytest.mark.parametrize("architecture", sorted({*SMALL} - {"manet", "pan", "deeplabv3plus", "fpn"}))
def test_other_decoders(architecture: str) -> None:
    before, after = _halved(architecture=architecture, encoder="lcnet_035", decoder=SMALL[architecture])
    assert cost(after, SIZE).macs <= cost(before, SIZE).macs / 2


def test_what_cannot_be_pruned_is_refused() -> None:
    with pytest.raises(UserError, match="pan on lcnet_035: this network cannot be pruned"):
        _halved(architecture="pan", encoder="lcnet_035", decoder=SMALL["pan"])
