"""The least pruning that reaches a target, and the network that is left, as a config can describe it."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from train.checkpoint import TrainedNetwork, load_into
from train.data.resize import Size
from train.errors import UserError
from train.models.build import build_model, cost
from train.models.config import ModelConfig
from train.models.latency import medians, passes
from train.models.network import SegmentationNetwork
from train.models.widths import Layer, narrow, probe, widths
from train.progress import progress
from train.pruning.channels import ROUNDED_TO, Scope, prune
from train.pruning.target import Target

PASSES = 15
"""Of which a latency is the median."""
_HALVINGS = 9
_LARGEST_SHOWN = 3


@dataclass(frozen=True)
class Pruned:
    """A network after pruning."""

    network: SegmentationNetwork
    model: ModelConfig
    """Builds it again, but for its weights."""
    ratio: float
    """Share of the channels that went."""


def search(trained: TrainedNetwork, target: Target, scope: Scope) -> Pruned:
    """Halve the interval of ratios until the largest network that reaches the target is found; shows progress.

    Raises:
        UserError: it is reached without pruning, it cannot be reached, or this network cannot be pruned.
    """
    size, network = trained.config.data.size, trained.network
    before = _measure(network, target, size)
    if before <= target.most:
        raise UserError(
            f"the network has {target.text(before)}, no more than the target of {target.text(target.most)}: "
            "nothing to prune: give less"
        )
    smallest = _prune(trained, 1.0, scope)
    _describe(smallest, trained.config.model)
    _check_reachable(smallest, target, before, size)
    best, least, most = smallest, 0.0, 1.0
    for _ in progress(range(_HALVINGS), "search", _HALVINGS):
        ratio = (least + most) / 2
        found = _prune(trained, ratio, scope)
        if _measure(found, target, size) <= target.most:
            best, most = found, ratio
        else:
            least = ratio
    return Pruned(best, _describe(best, trained.config.model), most)


def _measure(network: SegmentationNetwork, target: Target, size: Size) -> float:
    if target.quantity == "MACs":
        return float(cost(network, size).macs)
    return medians(passes([network], [size], PASSES))[0]


@contextmanager
def _refusing(model: ModelConfig) -> Iterator[None]:
    """Of a network that it does not understand torch-pruning raises nearly anything, or makes a broken one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # so it speaks of parameters that it only guesses about
            yield
    except Exception as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"{model.title}: this network cannot be pruned ({reason}): choose another one") from error


def _prune(trained: TrainedNetwork, ratio: float, scope: Scope) -> SegmentationNetwork:
    with _refusing(trained.config.model):
        return prune(trained.network, ratio, scope)


def _describe(network: SegmentationNetwork, model: ModelConfig) -> ModelConfig:
    """The config of a pruned network, which is proven to build one that gives the same."""
    with _refusing(model):
        rebuilt = build_model(model.unpruned, network.classes)
        described = model.unpruned.model_copy(update={"channels": widths(network, rebuilt)})
        narrow(rebuilt, described.channels)
        load_into(rebuilt, network.state_dict(), Path("the pruned network"))
        _check_same(rebuilt.to(network.mean.device).eval(), network)
    return described


@torch.inference_mode()
def _check_same(rebuilt: SegmentationNetwork, pruned: SegmentationNetwork) -> None:
    image = torch.rand_like(probe(pruned)) * 255
    torch.testing.assert_close(rebuilt(image).logits, pruned(image).logits, rtol=1e-3, atol=1e-3)


def _check_reachable(smallest: SegmentationNetwork, target: Target, before: float, size: Size) -> None:
    reached = _measure(smallest, target, size)
    if reached > target.most:
        share = f"{reached / before:.0%} of the unpruned network's" if reached < before else "no less than unpruned"
        raise UserError(
            f"{target.text(target.most)} cannot be reached: with {ROUNDED_TO} channels in every layer that may lose "
            f"any there are {target.text(reached)}, {share}; most of it in {', '.join(_largest(smallest, size))}: "
            "give more, a smaller data.size, or choose a smaller student"
        )


def _largest(network: SegmentationNetwork, size: Size) -> list[str]:
    """The layers with most MACs, and their share of all."""
    counter = FlopCounterMode(display=False)
    with torch.inference_mode(), counter:
        network(torch.zeros(1, 3, *size, device=network.mean.device))
    by_path = counter.get_flop_counts()
    flops = {path: sum(by_path.get(f"{type(network).__name__}.{path}", {}).values()) for path in _paths(network)}
    first = sorted(flops, key=lambda path: -flops[path])[:_LARGEST_SHOWN]
    return [f"{path} ({flops[path] / counter.get_total_flops():.0%})" for path in first]


def _paths(network: nn.Module) -> Iterator[str]:
    return (path for path, module in network.named_modules() if isinstance(module, Layer))
