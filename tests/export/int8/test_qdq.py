"""The promises of the INT8 graph: what TensorRT takes, and nothing touched that should stay in float."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.bundle import load_bundle
from export.int8.images import choose_images
from export.int8.layers import Layer, find_layers
from export.int8.qdq import quantise
from export.int8.ranges import measure_ranges


class Graph:
    """Look-ups in a graph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = list(model.graph.node)
        self.values = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
        self.producers = {output: node for node in self.nodes for output in node.output}

    def of_type(self, *types: str) -> list[onnx.NodeProto]:
        return [node for node in self.nodes if node.op_type in types]

    def before(self, name: str) -> list[str]:
        """Operations on the way to a tensor, the nearest first, along first inputs."""
        found = []
        while name in self.producers:
            found.append(self.producers[name].op_type)
            name = self.producers[name].input[0]
        return found


@pytest.fixture(scope="module")
def student(exported: Path, folder: Path) -> tuple[onnx.ModelProto, list[Layer], object]:
    bundle = load_bundle(exported)
    model = onnx.load(bundle.file("onnx"))
    layers = find_layers(model, bundle.file("onnx"))
    images = choose_images(folder, 2, 0)
    return model, layers, measure_ranges(bundle.file("onnx"), layers, bundle.manifest.input, images, "minmax", 100.0)


@pytest.fixture(scope="module")
def quantised(student) -> Graph:
    model, layers, ranges = student
    result = quantise(model, ranges, layers)
    onnx.checker.check_model(result, full_check=True)
    return Graph(result)


def test_all_zero_points_are_int8_and_zero(quantised: Graph) -> None:
    zero_points = [quantised.values[node.input[2]] for node in quantised.of_type("QuantizeLinear", "DequantizeLinear")]
    assert len(zero_points) > 100
    assert all(value.dtype == np.int8 and not value.any() for value in zero_points)


def test_weights_have_a_scale_for_each_output_channel(quantised: Graph) -> None:
    convolutions = quantised.of_type("Conv")
    for node in convolutions:
        dequantise = quantised.producers[node.input[1]]
        assert dequantise.op_type == "DequantizeLinear"
        assert [attribute.i for attribute in dequantise.attribute if attribute.name == "axis"] == [0]
        weights, scales, _ = (quantised.values[name] for name in dequantise.input)
        assert weights.dtype == np.int8
        assert scales.shape == weights.shape[:1]
    assert len(convolutions) > 40


def test_weights_are_at_most_half_a_step_off(student, quantised: Graph) -> None:
    before = Graph(student[0])
    after = {node.name: node for node in quantised.of_type("Conv")}
    for node in before.of_type("Conv"):
        weights, scales, _ = (quantised.values[n] for n in quantised.producers[after[node.name].input[1]].input)
        scales = scales.reshape(-1, 1, 1, 1)
        assert (np.abs(weights * scales - before.values[node.input[1]]) <= 0.5001 * scales + 1e-12).all()


def test_no_bias_is_quantised(quantised: Graph) -> None:
    biases = [quantised.values[node.input[2]] for node in quantised.of_type("Conv") if len(node.input) > 2]
    assert len(biases) > 10
    assert all(value.dtype == np.float32 for value in biases)


def test_input_and_argmax_stay_in_float(quantised: Graph) -> None:
    (argmax,) = quantised.of_type("ArgMax")
    assert quantised.before(argmax.input[0])[:3] == ["Resize", "Conv", "DequantizeLinear"]
    first = next(node for node in quantised.of_type("Conv"))
    way = quantised.before(first.input[0])
    assert way[:2] == ["DequantizeLinear", "QuantizeLinear"]
    assert "DequantizeLinear" not in way[2:]
    assert way[-1] == "Cast"


def test_a_layer_in_float_reads_and_holds_float(student) -> None:
    model, layers, ranges = student
    kept = layers[5]
    graph = Graph(quantise(model, ranges, [layer for layer in layers if layer != kept]))
    for node in graph.of_type("Conv"):
        assert (graph.before(node.input[0])[0] == "DequantizeLinear") == (node.name not in kept.nodes)
        assert (node.input[1] in graph.values) == (node.name in kept.nodes)


def test_the_same_again_is_the_same_file(student) -> None:
    model, layers, ranges = student
    before = model.SerializeToString()
    first, second = (quantise(model, ranges, layers).SerializeToString(deterministic=True) for _ in range(2))
    assert first == second
    assert model.SerializeToString() == before


def test_no_layer_means_no_change(student) -> None:
    model, _, ranges = student
    assert quantise(model, ranges, []) == model


def test_tensorrt_parses_it(student) -> None:
    tensorrt = pytest.importorskip("tensorrt_rtx")
    model, layers, ranges = student
    builder = tensorrt.Builder(tensorrt.Logger(tensorrt.Logger.ERROR))
    network = builder.create_network(1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = tensorrt.OnnxParser(network, tensorrt.Logger(tensorrt.Logger.ERROR))
    assert parser.parse(quantise(model, ranges, layers).SerializeToString()), parser.get_error(0)
    types = {network.get_layer(index).type for index in range(network.num_layers)}
    assert tensorrt.LayerType.QUANTIZE in types
