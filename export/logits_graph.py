"""A bundle's graph up to its low-resolution logits, without the upsampling and the argmax (no torch).

`kernels.cuda.upsample_argmax` does the rest on a GPU, and writes no logits of full size.
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper

from export.bundle import BundleError
from export.head import upsampling
from export.manifest import BARE_LOGITS
from kernels.cuda.upsample_argmax import Dtype

_DTYPES: dict[int, Dtype] = {TensorProto.FLOAT: "fp32", TensorProto.FLOAT16: "fp16"}


def cut_at_logits(model: onnx.ModelProto, path: Path) -> tuple[onnx.ModelProto, Dtype]:
    """The graph of the file ``path`` with one output, ``logits`` ``(N, C, h, w)``, and the type of it.

    Logits that the graph casts from fp16 are given as fp16: the kernel computes in fp32 all the same.

    Raises:
        BundleError: the graph does not end in the Resize that `upsample_argmax.cu` does, and ArgMax.
    """
    logits, kind = _logits(model, path)
    cut = onnx.ModelProto()
    cut.CopyFrom(model)
    nodes = _needed(cut.graph, logits)
    for node in nodes:
        for tensors in (node.input, node.output):
            tensors[:] = [BARE_LOGITS if name == logits else name for name in tensors]
    used = {name for node in nodes for name in node.input}
    weights = [weight for weight in cut.graph.initializer if weight.name in used]
    for field, kept in (("node", nodes), ("initializer", weights), ("output", []), ("value_info", [])):
        cut.graph.ClearField(field)
        getattr(cut.graph, field).extend(kept)
    cut.graph.output.append(onnx.ValueInfoProto(name=BARE_LOGITS, type=kind))
    onnx.checker.check_model(cut, full_check=True)
    return cut, _DTYPES[kind.tensor_type.elem_type]


def _logits(model: onnx.ModelProto, path: Path) -> tuple[str, onnx.TypeProto]:
    """Name and type of the low-resolution logits."""
    resize = upsampling(model, path)
    options = {each.name: helper.get_attribute_value(each) for each in resize.attribute}
    coordinates = options.get("coordinate_transformation_mode", b"half_pixel")
    if options.get("mode") != b"linear" or b"half_pixel" not in coordinates or options.get("antialias"):
        raise BundleError(
            f"{path}: its logits are not upsampled bilinearly with half-pixel centres, which is all that "
            "upsample_argmax.cu does: export it with `python -m export.onnx`"
        )
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True, data_prop=True).graph
    kinds = {value.name: value.type for value in (*inferred.value_info, *inferred.output)}
    name = str(resize.input[0])
    cast = next((node for node in model.graph.node if name in node.output and node.op_type == "Cast"), None)
    if cast is not None and kinds[cast.input[0]].tensor_type.elem_type == TensorProto.FLOAT16:
        name = str(cast.input[0])
    return name, kinds[name]


def _needed(graph: onnx.GraphProto, output: str) -> list[onnx.NodeProto]:
    """Copies of the nodes that ``output`` is made with. Nodes stand behind those whose outputs they take."""
    wanted, found = {output}, []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            copied = onnx.NodeProto()
            copied.CopyFrom(node)
            found.append(copied)
    return found[::-1]
