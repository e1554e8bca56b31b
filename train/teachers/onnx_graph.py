"""An ONNX graph, and those of its tensors that are to be seen (no torch)."""

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from train.errors import UserError

_BEHIND_LOGITS = {"Cast", "ArgMax", "Resize", "Softmax", "LogSoftmax", "Squeeze", "Identity"}
_LARGEST = 2**31
"""Bytes of a graph that can be changed in memory."""


class OnnxFile(NamedTuple):
    """Where a graph is, and what is said about it."""

    path: Path
    classes: list[str]
    """In the order of ids; none: it does not say."""
    multiple: int | None
    """Both sides of an image must be multiples of this, pixels; None: it does not say."""


class Graph(NamedTuple):
    """What ONNX Runtime is to load."""

    content: bytes | Path
    logits: str
    """The tensor that holds them."""
    files: list[Path]
    """All that it consists of: the graph's own, and those of weights beside it."""


def find_graph(path: Path) -> OnnxFile:
    """A file, or the graph of a bundle that ``export.onnx`` made.

    Raises:
        UserError: no such file, or a folder that is no bundle.
    """
    if not path.is_dir():
        if not path.is_file():
            raise UserError(f"teacher.path: {path}: no such file: give an .onnx file or a bundle")
        return OnnxFile(path, [], None)
    try:
        manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
        file = path / manifest["files"]["onnx"]["path"]
        return OnnxFile(file, list(manifest["classes"]), int(manifest["input"]["multiple"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            f"teacher.path: {path}: no bundle (manifest.json with a file 'onnx'): give an .onnx file, or the folder "
            "that export.onnx made"
        ) from None


def with_outputs(path: Path, wanted: Sequence[str]) -> Graph:
    """The graph with these tensors as further outputs.

    The logits are looked for behind the first output: softmax, one upsampling and argmax are left out. So a network
    that gives class ids teaches with what it decided on.

    Raises:
        UserError: ``onnx`` is not installed, the file is no graph or too large, or it has no such tensor.
    """
    onnx = _onnx()
    try:
        model = onnx.load(path, load_external_data=False)
        outside = _weights_beside(model, path)
        if outside and sum(file.stat().st_size for file in outside) < _LARGEST:
            model = onnx.load(path)
    except Exception as error:  # protobuf's and onnx's own
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"teacher.path: {path}: no ONNX graph ({reason}): export it anew") from None
    logits = _before_the_decision(model.graph)
    given = {output.name for output in model.graph.output}
    made = {name for node in model.graph.node for name in node.output if name}
    for name in wanted:
        if name not in made:
            near = (difflib.get_close_matches(name, made, n=1, cutoff=0.3) or sorted(made))[0]
            raise UserError(f"teacher: {path} has no tensor '{name}': did you mean '{near}'?")
    further = [name for name in dict.fromkeys([*wanted, logits]) if name not in given]
    if not further:
        return Graph(path, logits, [path, *outside])
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in further)
    if model.ByteSize() >= _LARGEST:
        raise UserError(
            f"teacher.path: {path}: too large for further outputs: export it with these: {', '.join(further)}"
        )
    return Graph(bytes(model.SerializeToString()), logits, [path, *outside])


def _weights_beside(model: Any, path: Path) -> list[Path]:
    """Files of weights that are too large for the graph's own."""
    tensors = model.graph.initializer
    names = {entry.value for tensor in tensors for entry in tensor.external_data if entry.key == "location"}
    return [path.parent / name for name in sorted(names)]


def _before_the_decision(graph: Any) -> str:
    """The tensor that softmax, upsampling and argmax at the end of a graph begin with."""
    makers = {name: node for node in graph.node for name in node.output}
    name = str(graph.output[0].name)
    node = makers.get(name)
    while node is not None and node.op_type in _BEHIND_LOGITS:
        name = str(node.input[0])
        node = makers.get(name)
    return name


def _onnx() -> Any:
    try:
        import onnx
    except ModuleNotFoundError:
        raise UserError(
            "teacher.kind: onnx needs the packages onnx and onnxruntime: pip install 'segdistill[export,cpu]'"
        ) from None
    return onnx
