"""Networks that are narrower than their architecture: which channels a layer has left, as numbers in a config."""

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn

from train.errors import UserError
from train.models.network import SegmentationNetwork

Layer = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
"""What has a width of its own; all else has that of what it reads."""

_Norm = (nn.modules.batchnorm._BatchNorm, nn.GroupNorm, nn.LayerNorm)
# Pixels of the deepest map: enough for what pools it.
_DEEPEST = 4


def probe(network: SegmentationNetwork) -> Tensor:
    """Images ``(2, 3, S, S)`` that pass through every layer of a network."""
    side = _DEEPEST * network.multiple
    return torch.zeros(2, 3, side, side, device=network.mean.device)


def widths(network: nn.Module, whole: nn.Module) -> dict[str, int]:
    """Output channels of each layer, by path, that differ from those of the ``whole`` network."""
    full = dict(whole.named_modules())
    return {
        path: _width(module)
        for path, module in network.named_modules()
        if isinstance(module, Layer) and not is_depthwise(module) and _width(module) != _width(full[path])
    }


def narrow(network: SegmentationNetwork, channels: Mapping[str, int]) -> None:
    """Let each layer named in ``channels`` keep so many output channels, its first ones; all others follow.

    What a layer reads is seen in a forward pass, so that the numbers are all that has to be known of a pruned network.

    Raises:
        UserError: no such layer, more channels than it has, or numbers that do not fit each other.
    """
    layers = {path: module for path, module in network.named_modules() if isinstance(module, (*Layer, *_Norm))}
    for path, count in channels.items():
        module = layers.get(path)
        if not isinstance(module, Layer) or is_depthwise(module):
            raise UserError(f"model.channels: the network has no layer '{path}' whose width could be chosen")
        if count > _width(module):
            raise UserError(f"model.channels: '{path}' has {_width(module)} channels, not {count}")
    handles = [
        module.register_forward_pre_hook(partial(_fit, outputs=channels.get(path))) for path, module in layers.items()
    ]
    training = network.training
    try:
        with torch.no_grad():
            network.train()(probe(network))  # the auxiliary head runs in training alone
    except RuntimeError as error:
        raise UserError(f"model.channels: the numbers do not fit each other: {' '.join(str(error).split())}") from None
    finally:
        for handle in handles:
            handle.remove()
        network.train(training)


def is_depthwise(module: nn.Module) -> bool:
    """Whether a convolution takes each channel by itself, and so has as many as it reads."""
    return isinstance(module, nn.Conv2d) and 1 < module.groups == module.in_channels == module.out_channels


def _width(module: nn.Module) -> int:
    return int(module.out_features if isinstance(module, nn.Linear) else module.out_channels)  # type: ignore[arg-type]


def _fit(module: nn.Module, inputs: tuple[Tensor], outputs: int | None) -> None:
    """Cut a layer to what it is about to read, and to its own width."""
    if isinstance(module, nn.Linear):
        module.in_features, module.out_features = inputs[0].shape[-1], outputs or module.out_features
        _cut(module, "weight", module.out_features, module.in_features)
        _cut(module, "bias", module.out_features)
        return
    # Of layer norms, timm's and smp's own kinds take maps.
    given = inputs[0].shape[-1 if type(module) is nn.LayerNorm else 1]
    if isinstance(module, nn.GroupNorm):
        module.num_channels = given
    elif isinstance(module, nn.LayerNorm):
        module.normalized_shape = (given,)
    elif isinstance(module, nn.modules.batchnorm._BatchNorm):
        module.eval()  # the probe is no image to count statistics of
        module.num_features = given
    else:
        assert isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        _fit_convolution(module, given, outputs)
        return
    for name in ("weight", "bias", "running_mean", "running_var"):
        _cut(module, name, given)


def _fit_convolution(module: nn.Conv2d | nn.ConvTranspose2d, given: int, outputs: int | None) -> None:
    if is_depthwise(module):
        module.groups = module.out_channels = given
    module.in_channels, module.out_channels = given, outputs or module.out_channels
    sides = (module.out_channels, given // module.groups)
    if isinstance(module, nn.ConvTranspose2d):
        sides = (given, module.out_channels // module.groups)
    _cut(module, "weight", *sides)
    _cut(module, "bias", module.out_channels)


def _cut(module: nn.Module, name: str, *sides: int) -> None:
    """Keep the beginning of a tensor along its first dimensions."""
    tensor = getattr(module, name, None)
    if tensor is None or tensor.shape[: len(sides)] == sides:
        return
    kept = tensor.detach()[tuple(slice(side) for side in sides)].clone()
    setattr(module, name, nn.Parameter(kept) if isinstance(tensor, nn.Parameter) else kept)
