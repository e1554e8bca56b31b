"""Batch norm over the images of all processes."""

import contextlib
from collections.abc import Iterator

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from train.processes import count, total


def synchronise(network: nn.Module, device: torch.device) -> None:
    """Make every batch norm in a network take the mean and variance of the whole batch; its state keeps its names."""
    if device.type == "cuda":
        # timm's, as torch's own would drop the activation that timm's norms end with.
        convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(network, name, SynchronisedBatchNorm(child))
        else:
            synchronise(child, device)


def statistics(network: nn.Module) -> list[Tensor]:
    """Running means and variances."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    return [value for norm in norms for value in (norm.running_mean, norm.running_var) if value is not None]


@contextlib.contextmanager
def without_statistics(network: nn.Module) -> Iterator[None]:
    """Batch norms normalise, and remember nothing of it."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """A batch norm that takes the place of ``norm``; `torch.nn.SyncBatchNorm` is for GPUs alone.

    Args:
        norm: torch's, or timm's with the activation at its end.
    """

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        for name, value in (*norm.named_parameters(recurse=False), *norm.named_buffers(recurse=False)):
            setattr(self, name, value)
        self.drop, self.act = (getattr(norm, name, nn.Identity()) for name in ("drop", "act"))
        self.train(norm.training)

    def forward(self, features: Tensor) -> Tensor:
        """See `torch.nn.BatchNorm2d`: ``(N, D, H, W)``."""
        normalised = self._over_all(features) if self.training else super().forward(features)
        result: Tensor = self.act(self.drop(normalised))
        return result

    def _over_all(self, features: Tensor) -> Tensor:
        pixels = count() * features.numel() / features.shape[1]
        mean = total(features.sum((0, 2, 3))) / pixels
        centred = features - mean[:, None, None]
        variance = total(centred.square().sum((0, 2, 3))) / pixels
        self._remember(mean.detach(), variance.detach() * pixels / (pixels - 1))
        normalised = centred * (variance + self.eps).rsqrt()[:, None, None]
        return normalised * self.weight[:, None, None] + self.bias[:, None, None] if self.affine else normalised

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        if not self.track_running_stats or self.running_mean is None or self.running_var is None:
            return
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1
        momentum = 0.1 if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean.to(self.running_mean), momentum)
        self.running_var.lerp_(variance.to(self.running_var), momentum)
