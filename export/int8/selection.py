"""From an fp32 graph to the INT8 graph that loses little enough."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import onnx

from export.int8.layers import Layer
from export.int8.qdq import quantise
from export.int8.score import Loss, Scorer
from export.int8.search import search
from export.int8.sensitivity import Sensitivity, measure_sensitivity
from export.int8.settings import Settings


@dataclass(frozen=True)
class Selection:
    """The graph, the layers in it that stayed in float, and what was measured on the way."""

    model: onnx.ModelProto
    kept_float: list[Layer]
    all_int8: Loss
    loss: Loss
    """Of `model`."""
    sensitivities: list[Sensitivity]
    """The most sensitive layer first."""
    scored: int
    """Pictures that the search was scored on."""


def select(
    model: onnx.ModelProto, layers: Sequence[Layer], ranges: Any, scorer: Scorer, settings: Settings
) -> Selection:
    """Rank the layers by what each loses alone, and leave as few of them in float as the loss allows.

    Args:
        model: the fp32 graph.
        layers: of `find_layers`.
        ranges: of `measure_ranges`.

    Raises:
        UserError: the loss cannot be kept so small.
    """

    def with_int8(chosen: Sequence[Layer]) -> onnx.ModelProto:
        return quantise(model, ranges, chosen)

    def with_float(kept: Sequence[Layer]) -> onnx.ModelProto:
        return with_int8([layer for layer in layers if layer not in kept])

    @cache
    def loss_of(kept: tuple[Layer, ...]) -> Loss:
        return scorer.loss(with_float(kept))

    all_int8 = loss_of(())
    print(f"all {len(layers)} layers in INT8: {len(scorer)} pictures lose {all_int8}", flush=True)
    sensitivities = measure_sensitivity(layers, with_int8, scorer.part(settings.layer_images))
    ranked = [sensitivity.layer for sensitivity in sensitivities]
    kept = search(ranked, all_int8, lambda float_: loss_of(tuple(float_)), settings.max_drop)
    return Selection(with_float(kept), kept, all_int8, loss_of(tuple(kept)), sensitivities, len(scorer))
