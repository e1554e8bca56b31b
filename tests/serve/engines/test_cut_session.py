"""The cut graph and the running maximum give what the whole graph gives; what cannot be cut is left whole."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.manifest import InputSpec
from export.session import open_session
from serve.engines.class_map import class_map
from serve.engines.cut_session import CutSession
from serve.engines.graph_cut import cut_at_logits
from train.errors import UserError

CLASSES, SCALE, HEIGHT, WIDTH = 7, 4, 32, 48


def network(size: tuple[int, int] = (HEIGHT, WIDTH)) -> onnx.ModelProto:
    """uint8 image, a strided convolution, Resize to ``size``, ArgMax."""
    weights = np.random.default_rng(0).standard_normal((CLASSES, 3, SCALE, SCALE)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["values"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights"], ["low"], strides=[SCALE, SCALE]),
        helper.make_node("Shape", ["low"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "two"], ["start"]),
        helper.make_node("Concat", ["start", "size"], ["sizes"], axis=0),
        helper.make_node("Resize", ["low", "", "", "sizes"], ["high"], mode="linear"),
        helper.make_node("ArgMax", ["high"], ["index"], axis=1, keepdims=0),
        helper.make_node("Cast", ["index"], ["mask"], to=TensorProto.UINT8),
    ]
    constants = [
        numpy_helper.from_array(weights, "weights"),
        numpy_helper.from_array(np.array([0], np.int64), "zero"),
        numpy_helper.from_array(np.array([2], np.int64), "two"),
        numpy_helper.from_array(np.array(size, np.int64), "size"),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])
    mask = helper.make_tensor_value_info("mask", TensorProto.UINT8, ["n", "H", "W"])
    graph = helper.make_graph(nodes, "network", [image], [mask], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    model.metadata_props.add(key="classes", value="ä" * 200)
    return model


def opened(tmp_path, model: onnx.ModelProto) -> CutSession | None:
    onnx.save(model, tmp_path / "model.onnx")
    spec = InputSpec(height=HEIGHT, width=WIDTH, mean=[0, 0, 0], std=[1, 1, 1])
    return CutSession.open(tmp_path / "model.onnx", spec, 1, {})


def test_it_gives_the_whole_graphs_class_maps(tmp_path):
    cut = opened(tmp_path, network())
    whole = open_session(tmp_path / "model.onnx", 1, ["CPUExecutionProvider"])
    images = np.random.default_rng(1).integers(0, 256, (5, HEIGHT, WIDTH, 3), dtype=np.uint8)
    np.testing.assert_array_equal(cut.run(images), whole.run(["mask"], {"image": images})[0])


def test_its_logits_are_what_its_class_maps_are_made_of(tmp_path):
    cut = opened(tmp_path, network())
    images = np.random.default_rng(1).integers(0, 256, (2, HEIGHT, WIDTH, 3), dtype=np.uint8)
    logits = cut.logits(images)
    assert logits.shape == (2, CLASSES, HEIGHT // SCALE, WIDTH // SCALE)
    np.testing.assert_array_equal(np.stack([class_map(planes, SCALE) for planes in logits]), cut.run(images))


def test_the_cut_graph_keeps_what_the_logits_need_and_the_rest_of_the_file():
    model = network()
    cut = cut_at_logits(model.SerializeToString())
    read = onnx.load_from_string(cut.model)
    assert cut.logits == "low"
    assert [node.op_type for node in read.graph.node] == ["Cast", "Transpose", "Conv"]
    assert [output.name for output in read.graph.output] == ["low"]
    assert read.metadata_props == model.metadata_props
    assert read.opset_import == model.opset_import


def test_a_size_that_is_no_multiple_is_left_to_the_graph(tmp_path):
    model = network()
    kernel = next(attribute for attribute in model.graph.node[2].attribute if attribute.name == "strides")
    kernel.ints[:] = [5, 5]
    assert opened(tmp_path, model) is None


def test_an_image_between_two_multiples_is_refused(tmp_path):
    with pytest.raises(UserError, match="no images of 33x48"):
        opened(tmp_path, network()).run(np.zeros((1, HEIGHT + 1, WIDTH, 3), np.uint8))


@pytest.mark.parametrize("kind", ["Resize", "ArgMax"])
def test_a_graph_with_another_end_is_left_whole(kind):
    model = network()
    node = next(node for node in model.graph.node if node.op_type == kind)
    node.op_type = "Identity"
    assert cut_at_logits(model.SerializeToString()) is None


def test_a_graph_with_branches_is_left_whole():
    model = network()
    model.graph.node[0].op_type = "If"
    assert cut_at_logits(model.SerializeToString()) is None
