"""What each layer loses when it alone is quantised."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import onnx

from export.int8.layers import Layer
from export.int8.score import Loss, Scorer
from train.progress import progress

Quantise = Callable[[Sequence[Layer]], onnx.ModelProto]
"""From the layers that are to compute in INT8 to the graph in which they do."""


@dataclass(frozen=True)
class Sensitivity:
    """One layer, and what the network loses by its rounding alone."""

    layer: Layer
    loss: Loss


def measure_sensitivity(layers: Sequence[Layer], quantise: Quantise, scorer: Scorer) -> list[Sensitivity]:
    """The most sensitive layer first.

    They are ranked by agreement even where there are labels: one layer moves the mIoU by less than its noise.
    """
    measured = [
        Sensitivity(layer, scorer.loss(quantise([layer]))) for layer in progress(layers, "sensitivity", len(layers))
    ]
    return sorted(measured, key=lambda sensitivity: -sensitivity.loss.agreement)
