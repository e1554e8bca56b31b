"""Which channels go: groups of layers that must lose the same ones, by the magnitude of their weights.

The groups are torch-pruning's: Fang et al., DepGraph, https://arxiv.org/abs/2301.12900.
"""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch_pruning
from torch import Tensor, nn

from train.models.network import SegmentationNetwork
from train.models.widths import Layer, is_depthwise, probe

Scope = Literal["layer", "network"]

ROUNDED_TO = 8
"""Channels of a layer are a multiple of this, as tensor cores and INT8 like them."""


@dataclass(frozen=True)
class _Prunable:
    """Layers that lose the same channels, named by the first of them."""

    layer: nn.Module
    prune: Callable[..., Any]
    """Of torch-pruning: takes channels from that layer."""
    importance: Tensor
    """Of each channel, or of each one of a norm's group: their mean is 1."""
    parts: int
    """Groups of a GroupNorm, all of which lose the same; else 1."""

    @property
    def step(self) -> int:
        """How many of `importance` go at once."""
        return ROUNDED_TO // math.gcd(ROUNDED_TO, self.parts)

    def lost(self, kept: int) -> list[int]:
        """The least important channels, such that at least ``kept`` of `importance` stay, and a whole step of them."""
        size = len(self.importance)
        kept = min(size, max(1, math.ceil(kept / self.step)) * self.step)
        lost = self.importance.argsort()[: size - kept]
        return [part * size + int(channel) for part in range(self.parts) for channel in lost]


def prune(network: SegmentationNetwork, ratio: float, scope: Scope) -> SegmentationNetwork:
    """A copy without the least important channels; the classes' own stay.

    Args:
        ratio: share of the channels that go, 0 to 1; each layer keeps 8 or more.
        scope: layer: the same share of each; network: the least important of all, wherever they are.
    """
    pruned = copy.deepcopy(network)
    graph = torch_pruning.DependencyGraph().build_dependency(pruned, probe(pruned), forward_fn=_logits)
    _part_at_sums(graph)
    found = list(_prunables(pruned, graph))
    least = torch.cat([prunable.importance for prunable in found]).quantile(ratio)
    for prunable in found:
        importance = prunable.importance
        kept = int((importance > least).sum()) if scope == "network" else round((1 - ratio) * len(importance))
        lost = prunable.lost(kept)
        if lost:
            graph.get_pruning_group(prunable.layer, prunable.prune, lost).prune()
    return pruned


def _logits(network: SegmentationNetwork, images: Tensor) -> list[Tensor]:
    """Also those of the auxiliary head, which runs in training alone."""
    network.train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.eval()
    maps = network(images).maps
    network.eval()
    return [maps[tap] for tap in ("logits", "aux") if tap in maps]


def _part_at_sums(graph: Any) -> None:
    """A sum over channels, as in PIDNet's attention, has one channel however many it reads."""
    for node in graph.module2node.values():
        node.dependencies = [
            link for link in node.dependencies if not (_adds_channels(link.target) or _adds_channels(link.source))
        ]


def _adds_channels(node: Any) -> bool:
    """A sum of stacked maps does not."""
    return _is("SumBackward", node) and not any(_is("StackBackward", source) for source in node.inputs)


def _is(operation: str, node: Any) -> bool:
    return isinstance(node.module, torch_pruning.ops._ElementWiseOp) and operation in str(node.module._grad_fn)


def _prunables(network: SegmentationNetwork, graph: Any) -> Iterator[_Prunable]:
    importance = torch_pruning.importance.GroupMagnitudeImportance(p=2)
    seen: set[nn.Module] = set()
    outputs = _outputs(network)
    for layer in list(graph.module2node):
        # A depthwise one may read several maps, one behind the other, each of which must keep some of its channels.
        if layer in seen or not isinstance(layer, Layer) or is_depthwise(layer):
            continue
        pruner = graph.get_pruner_of_module(layer)
        group = graph.get_pruning_group(layer, pruner.prune_out_channels, list(range(pruner.get_out_channels(layer))))
        narrowed = {link.target.module for link, _ in group if graph.is_out_channel_pruning_fn(link.handler)}
        seen |= narrowed
        modules = [link.target.module for link, _ in group]
        if narrowed & outputs or any(_is_grouped(module) for module in modules):
            continue
        parts = max((module.num_groups for module in modules if isinstance(module, nn.GroupNorm)), default=1)
        values = importance(group).reshape(parts, -1).mean(0)
        yield _Prunable(layer, group[0].dep.handler, values, parts)


def _outputs(network: Any) -> set[nn.Module]:
    """The layers that give logits, or another loss's map."""
    heads = (network.classifier, network.auxiliary)
    convolutions = [[layer for layer in head.modules() if isinstance(layer, nn.Conv2d)] for head in heads if head]
    return {found[-1] for found in convolutions}


def _is_grouped(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and module.groups > 1 and not is_depthwise(module)
