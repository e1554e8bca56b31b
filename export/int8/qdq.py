"""An INT8 graph: the fp32 one with QuantizeLinear and DequantizeLinear around its layers."""

from collections.abc import Iterable
from typing import Any

import onnx
from onnxruntime.quantization import QDQQuantizer, QuantType

from export.int8.layers import WEIGHTED, Layer

_OPTIONS = {
    # What TensorRT takes: symmetric, so zero points of 0, and biases left in float.
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "QuantizeBias": False,
    # Only what a layer reads is rounded, so that a ReLU can be fused into the layer before it:
    # https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/work-quantized-types.html
    "OpTypesToExcludeOutputQuantization": list(WEIGHTED),
}


def quantise(model: onnx.ModelProto, ranges: Any, layers: Iterable[Layer]) -> onnx.ModelProto:
    """A copy of ``model`` in which ``layers`` read int8 activations and have int8 weights per output channel.

    Nothing else is touched: the uint8 input and its normalisation, the Resize and the ArgMax at the end stay in float.

    Args:
        ranges: of `measure_ranges`.
        layers: some of `find_layers`.
    """
    nodes = [name for layer in layers for name in layer.nodes]
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    if not nodes:  # no name at all means every node to the quantiser
        return copy
    quantiser = QDQQuantizer(
        copy, True, False, QuantType.QInt8, QuantType.QInt8, ranges, nodes, [], list(WEIGHTED), dict(_OPTIONS)
    )
    quantiser.quantize_model()
    quantiser.model.topological_sort()
    quantised: onnx.ModelProto = quantiser.model.model
    return quantised
