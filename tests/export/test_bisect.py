"""The first layer that departs is found."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from export.bisect import LIMIT, bisect, first_departure, layer_outputs, tensors
from tests.export.commands import verify
from train.checkpoint import load_run

IMAGE = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
WRONG = "decoder.block2.0.1"


@pytest.fixture
def wrong_graph(bundle_root: Path) -> Path:
    """The shared bundle with one weight of the decoder doubled."""
    path = bundle_root / "model.onnx"
    model = onnx.load(path)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == f"network.{WRONG}.weight")
    weight.CopyFrom(numpy_helper.from_array(2 * numpy_helper.to_array(weight), weight.name))
    onnx.save(model, path)
    return path


def test_a_true_graph_departs_nowhere(exported: Path, run: Path) -> None:
    departures = bisect(exported / "model.onnx", layer_outputs(load_run(run).network, IMAGE), IMAGE)
    assert len(departures) > 20
    assert departures[-1].tensor == "logits"
    assert first_departure(departures, LIMIT["fp32"]) is None


def test_a_wrong_weight_is_found_against_pytorch_and_against_the_fp32_graph(
    wrong_graph: Path, exported: Path, run: Path
) -> None:
    named = bisect(wrong_graph, layer_outputs(load_run(run).network, IMAGE), IMAGE)
    unnamed = bisect(wrong_graph, tensors(onnx.load(exported / "model.onnx"), IMAGE), IMAGE)
    model = onnx.load(wrong_graph)
    made_by = {name: node.input[1] for node in model.graph.node if node.op_type == "Conv" for name in node.output}
    for departures in (named, unnamed):
        first = first_departure(departures, LIMIT["fp32"])
        assert first is not None
        assert made_by[first.tensor] == f"network.{WRONG}.weight"


def test_verify_says_where_fp16_is_furthest_off(bundle_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verify(bundle_root, "--bisect")
    printed = capsys.readouterr().out
    assert "onnx: no layer of" in printed
    assert "onnx_fp16: " in printed
