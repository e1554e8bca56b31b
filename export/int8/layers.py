"""The layers of a graph that can compute in INT8: those with weights."""

from dataclasses import dataclass
from pathlib import Path

import onnx

from export.bundle import BundleError

WEIGHTED = ("Conv", "Gemm", "MatMul")
"""ConvTranspose is left in float: runtimes differ in which of its axes may have a scale per channel."""


@dataclass(frozen=True)
class Layer:
    """The weighted nodes that read one tensor. They are quantised together, because they share its scale."""

    tensor: str
    """The activations they read."""
    nodes: tuple[str, ...]
    title: str
    """The first, by its module's path, and how many more there are."""
    kind: str
    """``depthwise``, ``grouped``, ``1x1``, ``3x3``, … or ``linear``, of the first."""


def find_layers(model: onnx.ModelProto, path: Path) -> list[Layer]:
    """In the graph's order.

    Raises:
        BundleError: the graph is quantised already, or has no weighted layer.
    """
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node):
        raise BundleError(f"{path}: is quantised already: quantise the fp32 graph of the bundle")
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type in WEIGHTED and node.input[1] in weights and node.input[0] not in weights:
            readers.setdefault(node.input[0], []).append(node)
    if not readers:
        raise BundleError(f"{path}: no layer with weights in it: export it again with `python -m export.onnx`")
    return [_layer(tensor, nodes, weights) for tensor, nodes in readers.items()]


def _layer(tensor: str, nodes: list[onnx.NodeProto], weights: dict[str, onnx.TensorProto]) -> Layer:
    first = nodes[0]
    weight = first.input[1]
    title = weight.removeprefix("network.").removesuffix(".weight") if weight.startswith("network.") else first.name
    more = f" (+{len(nodes) - 1})" if len(nodes) > 1 else ""
    kind = _kind(first, list(weights[weight].dims))
    return Layer(tensor, tuple(node.name for node in nodes), title + more, kind)


def _kind(node: onnx.NodeProto, shape: list[int]) -> str:
    if node.op_type != "Conv":
        return "linear"
    groups = next((attribute.i for attribute in node.attribute if attribute.name == "group"), 1)
    if groups > 1:
        return "depthwise" if shape[1] == 1 else "grouped"
    return "x".join(str(side) for side in shape[2:])
