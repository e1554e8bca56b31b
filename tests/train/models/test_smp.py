from typing import Any, get_args

import pytest
import torch
from torch import nn

from train.errors import UserError
from train.models.build import build_model, cost, predict
from train.models.config import Architecture, ModelConfig
from train.models.network import SegmentationNetwork

# Small decoders, to be quick; the key is what each of them calls its width.
SMALL: dict[str, dict[str, Any]] = {
    "fpn": {"decoder_pyramid_channels": 32, "decoder_segmentation_channels": 32},
    "unet": {"decoder_channels": [32, 24, 16, 16, 16]},
    "unetplusplus": {"decoder_channels": [32, 24, 16, 16, 16]},
    "manet": {"decoder_channels": [32, 24, 16, 16, 16]},
    "linknet": {},
    "pspnet": {"psp_out_channels": 32},
    "segformer": {"decoder_segmentation_channels": 32},
    "pan": {"decoder_channels": 32},
    "deeplabv3": {"decoder_channels": 32},
    "deeplabv3plus": {"decoder_channels": 32},
    "upernet": {"decoder_channels": 32},
}
CLASSES = 5
SIZE = (128, 160)


def small(architecture: str, **changes: object) -> SegmentationNetwork:
    settings = {"architecture": architecture, "encoder": "lcnet_035", "decoder": SMALL[architecture], **changes}
    return build_model(ModelConfig.model_validate(settings), CLASSES)


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_every_architecture_keeps_the_promise_of_its_taps(architecture: str) -> None:
    torch.manual_seed(0)
    network = small(architecture)
    image = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8)
    taps = network(image)

    assert taps.logits.shape[:2] == (2, CLASSES)
    assert taps.fused.shape == (2, network.classifier.in_channels, *taps.logits.shape[-2:])
    assert taps["pre_classifier"] is taps.fused
    strides = [SIZE[0] // stage.shape[2] for stage in taps.stages]
    assert strides == sorted(strides)
    assert strides[0] == 2
    for stage, stride in zip(taps.stages, strides, strict=True):
        assert stage.shape == (2, stage.shape[1], SIZE[0] // stride, SIZE[1] // stride)
    assert all(side % network.multiple == 0 for side in SIZE)

    (taps.logits * torch.randn_like(taps.logits)).sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []
    assert predict(taps.logits, SIZE).shape == (2, *SIZE)


@pytest.mark.parametrize("encoder", ["efficientnet_lite0", "mobilenetv4_conv_small_035"])
def test_every_weight_of_an_encoder_is_used(encoder: str) -> None:
    network = small("fpn", encoder=encoder)
    network(torch.zeros(2, 3, 64, 64)).logits.sum().backward()
    assert [name for name, parameter in network.named_parameters() if parameter.grad is None] == []


def test_students_of_a_third_of_a_million_parameters_exist() -> None:
    sizes = {name: cost(small(name), SIZE).parameters for name in ("fpn", "deeplabv3plus", "segformer")}
    assert max(sizes.values()) < 300_000


def test_batchnorm_averages_fast_enough_for_short_runs() -> None:
    network = small("fpn", encoder="efficientnet_lite0")
    momenta = {module.momentum for module in network.modules() if isinstance(module, nn.BatchNorm2d)}
    assert momenta == {0.1}


def test_cost_counts_parameters_and_multiplications() -> None:
    network = small("deeplabv3plus")
    small_image, large_image = cost(network, (64, 64)), cost(network, (128, 128))
    assert small_image.parameters == sum(parameter.numel() for parameter in network.parameters())
    assert large_image.macs == pytest.approx(4 * small_image.macs, rel=0.02)
    classifier = network.classifier
    network.classifier = nn.Identity()
    without = cost(network, (64, 64))
    assert small_image.macs - without.macs == 16 * 16 * classifier.in_channels * CLASSES
    assert small_image.parameters - without.parameters == sum(p.numel() for p in classifier.parameters())


def test_normalisation_is_inside() -> None:
    network = small("deeplabv3plus").eval()
    image = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    with torch.inference_mode():
        assert torch.equal(network(image).logits, network(image.float()).logits)
    assert network.mean.flatten().tolist() == pytest.approx([123.675, 116.28, 103.53])


def test_predict_upsamples_before_it_decides() -> None:
    logits = torch.tensor([[[[0.0, 4.0]], [[1.0, 0.0]]]])  # (1, 2, 1, 2): class 1, then class 0
    assert predict(logits, (1, 8)).tolist() == [[[1, 1, 1, 0, 0, 0, 0, 0]]]


@pytest.mark.parametrize(
    ("changes", "reason"), [({"encoder": "no_such_net"}, "no_such_net"), ({"decoder": {"wrong": 1}}, "wrong")]
)
def test_what_does_not_fit_is_one_line(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        small("fpn", **changes)
    assert "\n" not in str(caught.value)
