"""The end of the graph, the same in every file of a bundle: logits, one Resize, ArgMax (no torch)."""

from pathlib import Path

import onnx

from export.bundle import BundleError


def logits_tensor(model: onnx.ModelProto, path: Path) -> str:
    """Name of the low-resolution logits: what the one Resize before ArgMax takes.

    Raises:
        BundleError: the graph does not end in Resize and ArgMax.
    """
    return str(upsampling(model, path).input[0])


def upsampling(model: onnx.ModelProto, path: Path) -> onnx.NodeProto:
    """The one Resize before ArgMax.

    Raises:
        BundleError: the graph does not end in Resize and ArgMax.
    """
    producers = {output: node for node in model.graph.node for output in node.output}
    argmax = [node for node in model.graph.node if node.op_type == "ArgMax"]
    resize = producers.get(argmax[-1].input[0]) if argmax else None
    if resize is None or resize.op_type != "Resize":
        raise BundleError(f"{path}: does not end in Resize and ArgMax: export it with `python -m export.onnx`")
    found: onnx.NodeProto = resize
    return found
