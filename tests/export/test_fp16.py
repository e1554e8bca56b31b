"""Half precision where it is harmless, single precision where it is not."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, numpy_helper

from export.fp16 import KEPT_OPERATIONS, kept_nodes, to_fp16
from train.errors import UserError


@pytest.fixture
def fp32(exported: Path) -> onnx.ModelProto:
    return onnx.load(exported / "model.onnx")


def types(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = [*inferred.value_info, *inferred.input, *inferred.output]
    return {value.name: value.type.tensor_type.elem_type for value in values} | {
        tensor.name: tensor.data_type for tensor in inferred.initializer
    }


def test_convolutions_compute_in_fp16_and_the_named_operations_in_fp32(exported: Path) -> None:
    half = onnx.load(exported / "model.fp16.onnx")
    of = types(half)
    kept = kept_nodes(half, exported)
    for node in half.graph.node:
        if node.op_type == "Conv":
            assert [of[name] for name in (*node.input, *node.output)] == [TensorProto.FLOAT16] * (len(node.input) + 1)
        if node.op_type in (*KEPT_OPERATIONS, "ArgMax"):
            assert of[node.input[0]] != TensorProto.FLOAT16
            assert node.name in kept
    assert {"ReduceSum", "ReduceMean", "ArgMax"} <= {node.op_type for node in half.graph.node}


def test_inputs_and_outputs_stay_and_the_file_is_half_as_large(exported: Path, fp32: onnx.ModelProto) -> None:
    half = onnx.load(exported / "model.fp16.onnx")
    for ours, theirs in ((half.graph.input, fp32.graph.input), (half.graph.output, fp32.graph.output)):
        assert [(v.name, v.type.tensor_type.elem_type) for v in ours] == [
            (v.name, v.type.tensor_type.elem_type) for v in theirs
        ]
    weights = [sum(len(tensor.raw_data) for tensor in model.graph.initializer) for model in (half, fp32)]
    assert weights[0] < 0.55 * weights[1]


def test_it_says_nearly_the_same(exported: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    answers = [
        onnxruntime.InferenceSession(exported / name, providers=["CPUExecutionProvider"]).run(None, {"image": images})
        for name in ("model.onnx", "model.fp16.onnx")
    ]
    scale = np.abs(answers[0][2]).max()
    assert 0 < np.abs(answers[0][2] - answers[1][2]).max() < 0.02 * scale
    assert (answers[0][0] == answers[1][0]).mean() > 0.97


def test_a_weight_that_does_not_fit_is_named(exported: Path, fp32: onnx.ModelProto) -> None:
    weight = next(tensor for tensor in fp32.graph.initializer if tensor.name.endswith("conv_stem.weight"))
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1e7, weight.name))
    with pytest.raises(UserError, match=rf"the weight '{weight.name}' has values above 65504"):
        to_fp16(fp32, exported)
