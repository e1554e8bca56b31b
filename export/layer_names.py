"""Tensors of the graph under the names of the PyTorch layers that give them.

Reports of any runtime, and the search for the first layer that departs, then speak of `encoder.blocks.0` and not of
`getitem_3`.
"""

import ast

import onnx
from torch import nn

_SCOPES = "pkg.torch.onnx.name_scopes"


def name_layers(model: onnx.ModelProto, network: nn.Module) -> None:
    """Rename, in place, what each layer of ``network`` gives, if the layer has no parts and is called once."""
    results: dict[str, str] = {}
    sizes: set[str] = set()
    for node in model.graph.node:
        if node.op_type == "Shape" or (sizes & set(node.input) and node.op_type in ("Squeeze", "Gather", "Cast")):
            sizes |= set(node.output)  # a question for a layer's size stands in the layer's scope too
            continue
        layer = _layer(node)
        if layer is not None:
            results[layer] = node.output[0]  # the last one is the layer's result
    again = {layer.partition("@")[0] for layer in results if "@" in layer}
    fixed = {value.name for value in model.graph.output}
    leaves = {name for name, module in network.named_modules() if not list(module.children())}
    names = {tensor: layer for layer, tensor in results.items() if layer in leaves - again and tensor not in fixed}
    _rename(model.graph, names)
    _name_by_weights(model.graph)


def _layer(node: onnx.NodeProto) -> str | None:
    """Path of the module that the node belongs to; a second call of a module has ``@1`` at its end."""
    scopes = next((entry.value for entry in node.metadata_props if entry.key == _SCOPES), None)
    path = ast.literal_eval(scopes)[-2:-1] if scopes else []
    return str(path[0]).removeprefix("network.") if path and str(path[0]).startswith("network.") else None


def _rename(graph: onnx.GraphProto, names: dict[str, str]) -> None:
    for node in graph.node:
        for index, name in enumerate(node.input):
            node.input[index] = names.get(name, name)
        for index, name in enumerate(node.output):
            node.output[index] = names.get(name, name)
        if node.output[0] in names.values():
            node.name = node.output[0]
    for value in graph.value_info:
        value.name = names.get(value.name, value.name)


def _name_by_weights(graph: onnx.GraphProto) -> None:
    """A convolution whose normalisation is folded into it keeps its own name, though its output is another's."""
    taken = {node.name for node in graph.node}
    for node in graph.node:
        layer, _, kind = node.input[1].rpartition(".") if len(node.input) > 1 else ("", "", "")
        name = layer.removeprefix("network.")
        if kind == "weight" and node.output[0] != node.name and name not in taken:
            node.name = name
            taken.add(name)
