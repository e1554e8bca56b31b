"""From a config to a network, and a network's size on paper."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from train.data.resize import Size
from train.models.config import ModelConfig
from train.models.ddrnet import ddrnet_23_slim
from train.models.network import SegmentationNetwork, set_batchnorm_momentum
from train.models.pidnet import pidnet_s
from train.models.plain import PLANS, plain
from train.models.smp import SmpNetwork
from train.models.widths import narrow

_WHOLE: dict[str, Callable[[int], SegmentationNetwork]] = {
    **{name: partial(plain, name) for name in PLANS},
    "pidnet_s": pidnet_s,
    "ddrnet_23_slim": ddrnet_23_slim,
}


def build_model(config: ModelConfig, classes: int) -> SegmentationNetwork:
    """A network with fresh (or ImageNet) weights for ``classes`` classes.

    Raises:
        UserError: the decoder does not fit the encoder, no such encoder, its weights cannot be had, or no such
            channels.
    """
    whole = _WHOLE.get(config.architecture)
    network = SmpNetwork(config, classes) if whole is None else whole(classes)
    set_batchnorm_momentum(network, config.batchnorm_momentum)
    if config.channels:
        narrow(network, config.channels)
    return network


@dataclass(frozen=True)
class Cost:
    """Size of a network as it is exported, without an auxiliary head.

    Trainable parameters, and multiply-accumulates of one image.
    """

    parameters: int
    macs: int


def cost(network: SegmentationNetwork, size: Size) -> Cost:
    """Parameters and MACs at ``size``, counted on a real forward pass, so that strides and dilation are right."""
    device = network.mean.device
    counter = FlopCounterMode(display=False)
    training = network.training
    network.eval()
    with torch.inference_mode(), counter:
        network(torch.zeros(1, 3, *size, device=device))
    network.train(training)
    parameters = _count(network) - (_count(network.auxiliary) if network.auxiliary is not None else 0)
    return Cost(parameters=parameters, macs=counter.get_total_flops() // 2)


def predict(logits: Tensor, size: Size) -> Tensor:
    """Class ids ``(N, *size)``, uint8, of logits ``(N, C, h, w)``: one bilinear upsampling, then argmax."""
    return _upsample(logits, size).argmax(dim=1).to(torch.uint8)


def confidence(logits: Tensor, size: Size) -> Tensor:
    """Softmax probability ``(N, *size)``, float32, of the class that `predict` gives."""
    return _upsample(logits, size).softmax(dim=1).amax(dim=1)


def _upsample(logits: Tensor, size: Size) -> Tensor:
    return nn.functional.interpolate(logits.float(), size, mode="bilinear", align_corners=False)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
