"""Bundles whose right answer is known without a network, and what puts one in another's place."""

import shutil
from pathlib import Path

import onnx
from onnx import NodeProto, TensorProto, helper

from export.bundle import file_record, save_manifest
from export.manifest import InputSpec, Manifest

HEIGHT, WIDTH = 48, 64
PALETTE = [(128, 0, 0), (0, 128, 0), (0, 0, 128)]


def brightest_channel() -> onnx.ModelProto:
    """uint8 ``(N, H, W, 3)`` to the index of each pixel's largest channel: `np.argmax(image, -1)`."""
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ArgMax", ["values"], ["index"], axis=3, keepdims=0),
        helper.make_node("Cast", ["index"], ["mask"], to=TensorProto.UINT8),
    ]
    return network("brightest_channel", nodes, [])


def constant(value: int) -> onnx.ModelProto:
    """The same class everywhere."""
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMax", ["values", "axes"], ["largest"], keepdims=0),
        helper.make_node("Mul", ["largest", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "value"], ["class"]),
        helper.make_node("Cast", ["class"], ["mask"], to=TensorProto.UINT8),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [1], [3]),
        helper.make_tensor("zero", TensorProto.FLOAT, [], [0.0]),
        helper.make_tensor("value", TensorProto.FLOAT, [], [float(value)]),
    ]
    return network("constant", nodes, constants)


def network(name: str, nodes: list[NodeProto], constants: list[TensorProto]) -> onnx.ModelProto:
    """uint8 ``image`` ``(N, H, W, 3)`` through ``nodes`` to uint8 ``mask`` ``(N, H, W)``."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])
    mask = helper.make_tensor_value_info("mask", TensorProto.UINT8, ["n", "h", "w"])
    graph = helper.make_graph(nodes, name, [image], [mask], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def make_bundle(root: Path, model: onnx.ModelProto | None = None) -> Path:
    """Write a bundle with three classes: red, green, blue."""
    root.mkdir(parents=True)
    onnx.save(model or brightest_channel(), root / "model.onnx")
    manifest = Manifest(
        name="brightest-channel",
        created="2026-01-01T00:00:00Z",
        classes=["red", "green", "blue"],
        palette=PALETTE,
        input=InputSpec(height=HEIGHT, width=WIDTH, mean=[0, 0, 0], std=[1, 1, 1]),
        files={"onnx": file_record(root / "model.onnx")},
        student={"name": "none"},
    )
    save_manifest(root, manifest)
    return root


def put(root: Path, new: Path) -> None:
    """What an export does: the files of ``new`` over those of ``root``, the manifest last, each moved in whole."""
    for name in ("model.onnx", "manifest.json"):
        shutil.copy(new / name, root / f"{name}.part")
        (root / f"{name}.part").replace(root / name)
