"""Fold batch normalisation into the convolution before it.

The exporter does so too, but leaves out convolutions whose output has a second reader, which with dynamic shapes may
be no more than a question for its size.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper


def fold_batchnorm(model: onnx.ModelProto) -> None:
    """Fold, in place, every BatchNormalization that follows a convolution read by nothing else but Shape nodes."""
    graph = model.graph
    weights = {tensor.name: tensor for tensor in graph.initializer}
    producers = {output: node for node in graph.node for output in node.output}
    for norm in [node for node in graph.node if node.op_type == "BatchNormalization"]:
        convolution = producers.get(norm.input[0])
        if convolution is None or not _can_fold(graph, convolution, norm, weights):
            continue
        _fold(graph, convolution, norm, weights)
        _rename_reads(graph, convolution.output[0], norm.output[0])
        convolution.output[0] = norm.output[0]
        graph.node.remove(norm)


def _can_fold(
    graph: onnx.GraphProto, convolution: onnx.NodeProto, norm: onnx.NodeProto, weights: dict[str, onnx.TensorProto]
) -> bool:
    others = [node for node in graph.node if convolution.output[0] in node.input and node is not norm]
    constants = [*convolution.input[1:], *norm.input[1:]]
    return (
        convolution.op_type == "Conv"
        and all(node.op_type == "Shape" for node in others)
        and all(name in weights for name in constants)
        and convolution.output[0] not in {output.name for output in graph.output}
    )


def _fold(
    graph: onnx.GraphProto, convolution: onnx.NodeProto, norm: onnx.NodeProto, weights: dict[str, onnx.TensorProto]
) -> None:
    scale, shift, mean, variance = (_float64(weights[name]) for name in norm.input[1:5])
    epsilon = next((attribute.f for attribute in norm.attribute if attribute.name == "epsilon"), 1e-5)
    kernel = _float64(weights[convolution.input[1]])
    bias = _float64(weights[convolution.input[2]]) if len(convolution.input) > 2 else np.zeros_like(mean)
    factor = scale / np.sqrt(variance + epsilon)
    folded = {
        f"{norm.output[0]}.folded_weight": kernel * factor.reshape(-1, *[1] * (kernel.ndim - 1)),
        f"{norm.output[0]}.folded_bias": (bias - mean) * factor + shift,
    }
    graph.initializer.extend(numpy_helper.from_array(v.astype(np.float32), name) for name, v in folded.items())
    del convolution.input[1:]
    convolution.input.extend(folded)


def _float64(tensor: onnx.TensorProto) -> NDArray[np.float64]:
    return np.asarray(numpy_helper.to_array(tensor), np.float64)


def _rename_reads(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for index, name in enumerate(node.input):
            if name == old:
                node.input[index] = new
