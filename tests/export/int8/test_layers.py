"""What is quantised together, and under which name."""

from pathlib import Path

import onnx
import pytest

from export.bundle import BundleError, load_bundle
from export.int8.layers import Layer, find_layers


def test_layers_are_named_after_modules_and_kinds(layers: list[Layer]) -> None:
    assert [(layer.title, layer.kind) for layer in layers] == [("stem", "3x3"), ("depth", "depthwise"), ("head", "1x1")]


def test_every_convolution_of_a_student_is_in_one_layer(exported: Path) -> None:
    path = load_bundle(exported).file("onnx")
    model = onnx.load(path)
    layers = find_layers(model, path)
    nodes = [name for layer in layers for name in layer.nodes]
    assert sorted(nodes) == sorted(node.name for node in model.graph.node if node.op_type == "Conv")
    assert len({layer.tensor for layer in layers}) == len(layers)


def test_those_that_read_one_tensor_are_one_layer(exported: Path) -> None:
    path = load_bundle(exported).file("onnx")
    (aspp,) = (layer for layer in find_layers(onnx.load(path), path) if "aspp.0.convs.0" in layer.title)
    assert aspp.title.endswith("(+3)")  # its three dilated branches read the same features
    assert len(aspp.nodes) == 4


def test_a_quantised_graph_is_refused(with_int8, layers: list[Layer], graph: Path) -> None:
    with pytest.raises(BundleError, match="is quantised already"):
        find_layers(with_int8(layers), graph)


def test_a_graph_without_weights_is_refused(graph: Path) -> None:
    with pytest.raises(BundleError, match="no layer with weights"):
        find_layers(
            onnx.parser.parse_model(
                '<ir_version: 8, opset_import: ["":18]> g (float[1] x) => (float[1] y) {y = Relu(x)}'
            ),
            graph,
        )
