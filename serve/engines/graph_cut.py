"""An ONNX file without its last step, the upsampling and the argmax, for a processor that does these better itself.

A serving host has no `onnx` package. What is needed of the file is little: its fields are copied as they stand, but for
nodes and outputs (https://protobuf.dev/programming-guides/encoding/, field numbers of onnx.proto).
"""

from collections.abc import Iterator
from dataclasses import dataclass

_MODEL_GRAPH, _GRAPH_NODE, _GRAPH_OUTPUT = 7, 1, 12
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND = 1, 2, 4
_VALUE_NAME = 1
_WITH_SUBGRAPHS = {"If", "Loop", "Scan"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class CutGraph:
    """A graph that ends in its low-resolution logits."""

    model: bytes
    logits: str
    """Name of its only output, float32 ``(N, C, h, w)``."""


def cut_at_logits(model: bytes) -> CutGraph | None:
    """The part of an ONNX file up to what the one Resize before its ArgMax takes; None if it does not end so."""
    fields = list(_fields(memoryview(model)))
    graphs = [value for number, _, value in fields if number == _MODEL_GRAPH]
    if len(graphs) != 1:
        return None
    graph = list(_fields(graphs[0]))
    nodes = [_Node.read(value) for number, _, value in graph if number == _GRAPH_NODE]
    logits = _logits(nodes)
    if logits is None:
        return None
    needed = _needed(nodes, logits)
    kept = [whole for number, whole, value in graph if _stays(number, value, needed)]
    output = _field(_GRAPH_OUTPUT, _field(_VALUE_NAME, logits.encode()))
    rest = [whole for number, whole, _ in fields if number != _MODEL_GRAPH]
    return CutGraph(b"".join([*rest, _field(_MODEL_GRAPH, b"".join([*kept, output]))]), logits)


@dataclass(frozen=True)
class _Node:
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def read(cls, data: memoryview) -> "_Node":
        texts: dict[int, list[str]] = {_NODE_INPUT: [], _NODE_OUTPUT: [], _NODE_KIND: []}
        for number, _, value in _fields(data):
            if number in texts:
                texts[number].append(str(value, "utf-8"))
        return cls("".join(texts[_NODE_KIND]), tuple(texts[_NODE_INPUT]), tuple(texts[_NODE_OUTPUT]))


def _logits(nodes: list[_Node]) -> str | None:
    if any(node.kind in _WITH_SUBGRAPHS for node in nodes):  # what those take from outside is not in their inputs
        return None
    maker = {output: node for node in nodes for output in node.outputs}
    argmax = [node for node in nodes if node.kind == "ArgMax"]
    resize = maker.get(argmax[0].inputs[0]) if len(argmax) == 1 else None
    return resize.inputs[0] if resize is not None and resize.kind == "Resize" else None


def _needed(nodes: list[_Node], output: str) -> set[str]:
    """The tensors that ``output`` is made of. Nodes stand behind those whose outputs they take."""
    needed = {output}
    for node in reversed(nodes):
        if needed.intersection(node.outputs):
            needed.update(node.inputs)
    return needed


def _stays(number: int, value: memoryview, needed: set[str]) -> bool:
    if number == _GRAPH_NODE:
        return bool(needed.intersection(_Node.read(value).outputs))
    return number != _GRAPH_OUTPUT


def _fields(data: memoryview) -> Iterator[tuple[int, memoryview, memoryview]]:
    """Each field's number, all of its bytes, and its content."""
    start = 0
    while start < len(data):
        key, end = _varint(data, start)
        kind = key & 7
        content = end
        if kind == _VARINT:
            _, end = _varint(data, end)
        elif kind == _BYTES:
            length, content = _varint(data, end)
            end = content + length
        elif kind in (_FIXED32, _FIXED64):
            end += 4 if kind == _FIXED32 else 8
        else:
            raise ValueError(f"wire type {kind} is of no ONNX file")
        yield key >> 3, data[start:end], data[content:end]
        start = end


def _varint(data: memoryview, start: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[start]
        start += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, start
        shift += 7


def _field(number: int, content: bytes) -> bytes:
    length, size = b"", len(content)
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | _BYTES]) + length + bytes([size]) + content
