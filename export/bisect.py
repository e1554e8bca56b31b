"""The first layer at which a file departs from what it was made from.

The fp32 graph is held against PyTorch, layer by layer where the names of `export.layer_names` meet; every other graph
against the fp32 one, tensor by tensor.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.bundle import Bundle
from export.graph import DeployedNetwork
from export.manifest import DEFAULT_ROLE, FileRecord
from export.pictures import Picture
from export.preprocess import preprocess
from export.session import open_session
from train.models.network import SegmentationNetwork

LIMIT = {"fp32": 1e-3, "fp16": 2e-2, "int8": 0.25}
"""A layer departs when its output is further off than this: root mean square of the difference, over the values'."""

_SHOWN = 3


class Departure(NamedTuple):
    """A layer's output, and how far off it and what the layer took are, relative to their size."""

    tensor: str
    operation: str
    error: float
    before: float


def bisect(path: Path, reference: Mapping[str, NDArray[np.float32]], image: NDArray[np.uint8]) -> list[Departure]:
    """How far off each tensor of the graph is that ``reference`` has too, in the order of computation."""
    model = onnx.load(path)
    values = tensors(model, image, only=set(reference))
    errors: dict[str, float] = {}
    departures = []
    for node in model.graph.node:
        before = max((errors.get(name, 0.0) for name in node.input), default=0.0)
        for name in node.output:
            errors[name] = before
            if name in values and values[name].shape == reference[name].shape:
                errors[name] = relative_error(values[name], reference[name])
                departures.append(Departure(name, node.op_type, errors[name], before))
    return departures


def first_departure(departures: list[Departure], limit: float) -> Departure | None:
    """The first layer that is further off than ``limit``."""
    return next((departure for departure in departures if not departure.error <= limit), None)


def bisect_files(
    bundle: Bundle, files: Mapping[str, tuple[Path, FileRecord]], network: SegmentationNetwork, picture: Picture
) -> dict[str, list[Departure]]:
    """Print for each ONNX file the first layer that departs, and those that add most; and give all, by role."""
    image = preprocess(picture.image, bundle.manifest.input)
    found = {}
    for role, (path, record) in files.items():
        if record.runtime != "onnxruntime":
            print(f"{role}: {record.runtime} shows nothing of its layers: bisect the graph it was built from")
            continue
        reference = (
            layer_outputs(network, image) if role == DEFAULT_ROLE else tensors(onnx.load(bundle.file("onnx")), image)
        )
        found[role] = bisect(path, reference, image)
        _show(role, found[role], LIMIT[record.precision])
    return found


def tensors(
    model: onnx.ModelProto, image: NDArray[np.uint8], only: set[str] | None = None
) -> dict[str, NDArray[np.float32]]:
    """The floating point tensors of the graph for an image ``(1, H, W, 3)``, by name."""
    shown = onnx.ModelProto()
    shown.CopyFrom(onnx.shape_inference.infer_shapes(model))
    floats = {onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16}
    typed = {value.name for value in shown.graph.value_info if value.type.tensor_type.elem_type in floats}
    typed |= {value.name for value in shown.graph.output if value.type.tensor_type.elem_type in floats}
    computed = [name for node in shown.graph.node for name in node.output if name in typed]
    names = [name for name in computed if only is None or name in only]
    del shown.graph.output[:]
    shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    session = open_session(shown.SerializeToString(), torch.get_num_threads(), ["CPUExecutionProvider"])
    arrays = session.run(names, {shown.graph.input[0].name: image})
    return {name: np.asarray(array, np.float32) for name, array in zip(names, arrays, strict=True)}


def layer_outputs(network: SegmentationNetwork, image: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
    """What each layer of the PyTorch student without parts of its own gives, by its path, and the logits."""
    outputs: dict[str, NDArray[np.float32]] = {}

    def keep(name: str) -> Any:
        def hook(_: nn.Module, __: tuple[Tensor, ...], output: object) -> None:
            if isinstance(output, Tensor):
                outputs[name] = output.numpy().copy()  # a copy: the activation behind it may work in place

        return hook

    leaves = [(name, module) for name, module in network.named_modules() if not list(module.children())]
    handles = [module.register_forward_hook(keep(name)) for name, module in leaves]
    with torch.inference_mode():
        outputs["logits"] = DeployedNetwork(network).eval()(torch.from_numpy(image))[2].numpy()
    for handle in handles:
        handle.remove()
    return outputs


def relative_error(values: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Root mean square of the difference over that of the expected values."""
    size = float(np.sqrt(np.mean(np.square(expected, dtype=np.float64))))
    return float(np.sqrt(np.mean(np.square(values - expected, dtype=np.float64)))) / max(size, 1e-12)


def _show(role: str, departures: list[Departure], limit: float) -> None:
    first = first_departure(departures, limit)
    worst = max((departure.error for departure in departures), default=0.0)
    if first is None:
        print(f"{role}: no layer of {len(departures)} is off by more than {limit:g}; the largest is {worst:.1e}")
    else:
        layer = f"{first.tensor} ({first.operation})"
        print(f"{role}: the first layer off by more than {limit:g} is {layer}, {first.error:.1e}")
    for departure in sorted(departures, key=lambda departure: departure.before - departure.error)[:_SHOWN]:
        print(
            f"  {departure.tensor} ({departure.operation}): {departure.before:.1e} before, {departure.error:.1e} after"
        )
