"""A graph of three layers in which one is sensitive, and pictures for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from export.int8.images import choose_images
from export.int8.layers import Layer, find_layers
from export.int8.qdq import quantise
from export.int8.ranges import measure_ranges
from export.manifest import InputSpec, Manifest
from export.pictures import Picture, Pictures

SIZE = (16, 24)
CLASSES = 3
OUTLIER = 2000.0

_GRAPH = """
<ir_version: 8, opset_import: ["" : 18]>
streets (uint8[N, 16, 24, 3] image) => (uint8[N, 16, 24] mask)
<float[3] mean = {127, 127, 127}, float[4] scales = {1, 1, 2, 2}, float[4] b1 = {0.5, 0.5, 0.5, 0.5},
 float[4] b2 = {0.1, 0.1, 0.1, 0.1}>
{
    pixels = Cast <to = 1> (image)
    centred = Sub (pixels, mean)
    planes = Transpose <perm = [0, 3, 1, 2]> (centred)
    [stem] a = Conv <strides = [2, 2], pads = [1, 1, 1, 1]> (planes, stem_weight, b1)
    b = Relu (a)
    [depth] c = Conv <group = 4, pads = [1, 1, 1, 1]> (b, depth_weight, b2)
    d = Relu (c)
    [head] logits = Conv (d, head_weight)
    large = Resize <mode = "linear"> (logits, , scales)
    id = ArgMax <axis = 1, keepdims = 0> (large)
    mask = Cast <to = 2> (id)
}
"""


def weights() -> dict[str, NDArray[np.float32]]:
    """The head reads a channel that is far larger than the others, and weighs it as much less.

    In float that changes nothing; with one scale for all channels, it leaves the others no steps.
    """
    random = np.random.default_rng(3)
    stem = random.normal(0, 0.01, (4, 3, 3, 3))
    depth = random.normal(0, 0.3, (4, 1, 3, 3))
    head = random.normal(0, 1.0, (CLASSES, 4, 1, 1))
    depth[0] *= OUTLIER
    head[:, 0] /= OUTLIER
    return {name: value.astype(np.float32) for name, value in (("stem", stem), ("depth", depth), ("head", head))}


@pytest.fixture(scope="session")
def model() -> onnx.ModelProto:
    """Layers ``stem``, ``depth`` and ``head``; ``head`` is sensitive. Read only."""
    graph = onnx.parser.parse_model(_GRAPH)
    graph.graph.initializer.extend(
        numpy_helper.from_array(value, f"{name}_weight") for name, value in weights().items()
    )
    onnx.checker.check_model(graph, full_check=True)
    return graph


@pytest.fixture(scope="session")
def graph(model: onnx.ModelProto, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`model` as a file. Read only."""
    path = tmp_path_factory.mktemp("graph") / "model.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture(scope="session")
def spec() -> InputSpec:
    return InputSpec(height=SIZE[0], width=SIZE[1], multiple=2, mean=[127.0] * 3, std=[1.0] * 3)


@pytest.fixture(scope="session")
def manifest(spec: InputSpec) -> Manifest:
    names = [f"class {index}" for index in range(CLASSES)]
    return Manifest(
        name="streets", created="2026-01-01T00:00:00Z", classes=names, palette=[], input=spec, files={}, student={}
    )


def photograph(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3), np.uint8)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight images. Read only."""
    root = tmp_path_factory.mktemp("calibration")
    for seed in range(8):
        Image.fromarray(photograph(seed)).save(root / f"{seed}.png")
    return root


@pytest.fixture(scope="session")
def pictures() -> Pictures:
    """Six pictures without labels."""
    return Pictures("random", "all", 6, lambda index: Picture(str(index), photograph(100 + index)))


@pytest.fixture(scope="session")
def layers(model: onnx.ModelProto, graph: Path) -> list[Layer]:
    return find_layers(model, graph)


@pytest.fixture(scope="session")
def with_int8(
    model: onnx.ModelProto, graph: Path, layers: list[Layer], spec: InputSpec, folder: Path
) -> Callable[[list[Layer]], onnx.ModelProto]:
    """From layers to `model` with these in INT8."""
    ranges = measure_ranges(graph, layers, spec, choose_images(folder, 8, 0), "minmax", 100.0)
    return lambda chosen: quantise(model, ranges, chosen)
