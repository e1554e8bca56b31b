"""The graph in half precision, with a named list of operations kept in single precision (no torch).

Precision stands in the graph itself, as casts: TensorRT 11 takes it from nowhere else, and every runtime then computes
the same.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.head import logits_tensor
from train.errors import UserError

KEPT_OPERATIONS = (
    "Softmax",
    "LogSoftmax",
    "LayerNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "LpNormalization",
    "ReduceMean",
    "ReduceSum",
    "ReduceL2",
    "CumSum",
    "Range",
)
"""Kept in fp32 wherever they stand: sums of many terms, exponentials, and counting."""
KEPT_PARTS = ("normalisation", "upsampling", "argmax", "confidence")
"""Kept in fp32: all from the uint8 image to the first convolution, and all behind the logits."""

_FLOAT_ONLY_INPUTS = {"Resize": {2}}
_LARGEST = float(np.finfo(np.float16).max)


def to_fp16(model: onnx.ModelProto, path: Path) -> onnx.ModelProto:
    """A copy of the fp32 graph of the file ``path`` with fp16 weights and activations; inputs and outputs stay.

    Raises:
        UserError: a weight is larger than fp16's largest number.
        BundleError: the graph does not end in Resize and ArgMax.
    """
    half = onnx.ModelProto()
    half.CopyFrom(onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True))
    _Conversion(half, kept_nodes(half, path)).run()
    del half.graph.value_info[:]
    onnx.checker.check_model(half, full_check=True)
    return half


def kept_nodes(model: onnx.ModelProto, path: Path) -> set[str]:
    """Names of the nodes that stay in fp32, by `KEPT_OPERATIONS` and `KEPT_PARTS`."""
    graph = model.graph
    kept = {node.name for node in graph.node if node.op_type in KEPT_OPERATIONS}
    behind = {logits_tensor(model, path)}
    before = {graph.input[0].name}
    for node in graph.node:  # in the order of computation
        if behind & set(node.input):
            behind |= set(node.output)
            kept.add(node.name)
        elif before & set(node.input) and node.op_type not in ("Conv", "Shape"):
            before |= set(node.output)
            kept.add(node.name)
    return kept


class _Conversion:
    """One pass over the nodes in the order of computation; each cast is made once and used by all who need it."""

    def __init__(self, model: onnx.ModelProto, kept: set[str]) -> None:
        self._graph = model.graph
        self._kept = kept
        values = [*self._graph.value_info, *self._graph.input, *self._graph.output]
        self._floats = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
        self._weights = {w.name: w for w in self._graph.initializer if w.data_type == TensorProto.FLOAT}
        self._half: set[str] = set()
        self._nodes: list[onnx.NodeProto] = []
        self._made: dict[tuple[str, int], str] = {}

    def run(self) -> None:
        outputs = {value.name for value in self._graph.output}
        for node in list(self._graph.node):
            half = node.name not in self._kept
            self._inputs(node, half)
            self._nodes.append(node)
            if half:
                self._attributes(node)
                self._outputs(node, outputs)
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        for weight in [weight for weight in self._graph.initializer if weight.name not in used]:
            self._graph.initializer.remove(weight)

    def _inputs(self, node: onnx.NodeProto, half: bool) -> None:
        for index, name in enumerate(node.input):
            wants_half = half and index not in _FLOAT_ONLY_INPUTS.get(node.op_type, set())
            if name in self._weights and wants_half:
                node.input[index] = self._half_weight(name)
            elif name in self._floats and (name in self._half) != wants_half:
                node.input[index] = self._cast(name, TensorProto.FLOAT16 if wants_half else TensorProto.FLOAT)

    def _half_weight(self, name: str) -> str:
        if (name, TensorProto.FLOAT16) not in self._made:
            values = numpy_helper.to_array(self._weights[name])
            if np.abs(values, where=np.isfinite(values), out=np.zeros_like(values)).max(initial=0) > _LARGEST:
                raise UserError(f"the weight '{name}' has values above {_LARGEST:.0f}, fp16's largest: use fp32")
            half = numpy_helper.from_array(values.astype(np.float16), f"{name}.fp16")
            self._graph.initializer.append(half)
            self._made[name, TensorProto.FLOAT16] = half.name
        return self._made[name, TensorProto.FLOAT16]

    def _cast(self, name: str, to: int) -> str:
        if (name, to) not in self._made:
            target = f"{name}.{'fp16' if to == TensorProto.FLOAT16 else 'fp32'}"
            self._nodes.append(helper.make_node("Cast", [name], [target], name=target, to=to))
            self._made[name, to] = target
        return self._made[name, to]

    def _attributes(self, node: onnx.NodeProto) -> None:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
            elif attribute.type == onnx.AttributeProto.TENSOR and attribute.t.data_type == TensorProto.FLOAT:
                attribute.t.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(attribute.t).astype(np.float16)))

    def _outputs(self, node: onnx.NodeProto, graph_outputs: set[str]) -> None:
        for index, name in enumerate(node.output):
            if name in graph_outputs and name in self._floats:  # the logits are given as fp32
                node.output[index] = half = f"{name}.fp16"
                self._nodes.append(helper.make_node("Cast", [half], [name], name=name, to=TensorProto.FLOAT))
            elif name in self._floats:
                self._half.add(name)
