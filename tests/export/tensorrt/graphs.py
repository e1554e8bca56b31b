"""Graphs as an export makes them, of one convolution, and bundles of them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from export.bundle import file_record, save_manifest
from export.manifest import DEFAULT_ROLE, InputSpec, Manifest

CLASSES = 3
HEIGHT, WIDTH = 32, 64


def one_convolution(dynamic: bool = True, seed: int = 0) -> onnx.ModelProto:
    """uint8 ``(N, H, W, 3)`` to class ids ``(N, H, W)``: cast, transpose, convolution of stride 2, resize, argmax."""
    weights = np.random.default_rng(seed).standard_normal((CLASSES, 3, 3, 3)).astype(np.float32)
    tensors = {"weights": weights, "scales": np.array([1, 1, 2, 2], np.float32)}
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["pixels"], ["planes"], "transpose", perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "weights"], ["logits"], "conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        helper.make_node("Resize", ["logits", "", "scales"], ["large"], "resize", mode="linear"),
        helper.make_node("ArgMax", ["large"], ["index"], "argmax", axis=1, keepdims=0),
        helper.make_node("Cast", ["index"], ["mask"], "to_ids", to=TensorProto.UINT8),
    ]
    return model(nodes, tensors, dynamic)


def own_operation() -> onnx.ModelProto:
    """A graph with a node that no TensorRT knows."""
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Segment", ["pixels"], ["index"], "mine", domain="my.operations"),
        helper.make_node("Cast", ["index"], ["mask"], "to_ids", to=TensorProto.UINT8),
    ]
    return model(nodes, {})


def model(nodes: list[onnx.NodeProto], tensors: dict[str, np.ndarray], dynamic: bool = True) -> onnx.ModelProto:
    batch, height, width = ("n", "h", "w") if dynamic else (1, HEIGHT, WIDTH)
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [batch, height, width, 3])
    mask = helper.make_tensor_value_info("mask", TensorProto.UINT8, [batch, height, width])
    initializers = [numpy_helper.from_array(value, name) for name, value in tensors.items()]
    graph = helper.make_graph(nodes, "graph", [image], [mask], initializers)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("my.operations", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def make_bundle(root: Path, graph: onnx.ModelProto | None = None, dynamic: bool = True) -> Path:
    """A bundle with one fp32 graph."""
    root.mkdir(parents=True)
    onnx.save(graph or one_convolution(dynamic), root / "model.onnx")
    spec = InputSpec(
        height=HEIGHT,
        width=WIDTH,
        multiple=16,
        dynamic_batch=dynamic,
        dynamic_size=dynamic,
        mean=[0, 0, 0],
        std=[1, 1, 1],
    )
    manifest = Manifest(
        name="one-convolution",
        created="2026-01-01T00:00:00Z",
        classes=["red", "green", "blue"],
        palette=[(128, 0, 0), (0, 128, 0), (0, 0, 128)],
        input=spec,
        files={DEFAULT_ROLE: file_record(root / "model.onnx")},
        student={"name": "none"},
    )
    save_manifest(root, manifest)
    return root
