"""The graph says what PyTorch says, for every architecture and at every size it takes."""

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from export.graph import IR_VERSION, OPSET, DeployedNetwork, check_operations, make_graph, smallest_side
from export.head import upsampling
from export.manifest import InputSpec, OutputSpec
from tests.export.conftest import SIZE
from train.checkpoint import load_run
from train.errors import UserError
from train.models.build import build_model, predict
from train.models.config import Architecture, ModelConfig, WholeArchitecture
from train.models.network import SegmentationNetwork

ALL_OUTPUTS = OutputSpec(confidence="confidence", logits="logits")
ARCHITECTURES = (*get_args(Architecture), *get_args(WholeArchitecture))
# The one whose poolings depend on the size most; the others take minutes together. DeepLabV3+ is the shared bundle's.
FAST = {"pspnet"}


def network(architecture: str) -> SegmentationNetwork:
    """A small network whose normalisation has seen some images, so that its logits are of sane size."""
    torch.manual_seed(0)
    encoder = {} if architecture in get_args(WholeArchitecture) else {"encoder": "mobilenetv4_conv_small_035"}
    built = build_model(ModelConfig.model_validate({"architecture": architecture, **encoder}), 5)
    built.train()
    side = 8 * built.multiple
    with torch.no_grad():
        for _ in range(12):
            built(torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8))
    return built.eval()


def spec(built: SegmentationNetwork, shapes: str = "dynamic") -> InputSpec:
    smallest = smallest_side(built)
    return InputSpec(
        height=max(2 * built.multiple, smallest),
        width=max(3 * built.multiple, smallest),
        multiple=built.multiple,
        smallest=smallest,
        dynamic_batch=shapes != "fixed",
        dynamic_size=shapes == "dynamic",
        mean=[0.0],
        std=[1.0],
    )


def assert_same(model: onnx.ModelProto, built: SegmentationNetwork, shape: tuple[int, int, int]) -> None:
    """Equal class maps; where two logits are as close as the arithmetic is exact, either class is right."""
    images = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    mask, confidence, logits = session.run(["mask", "confidence", "logits"], {"image": images})
    with torch.inference_mode():
        expected, expected_confidence, expected_logits = DeployedNetwork(built).eval()(torch.from_numpy(images))
        upsampled = DeployedNetwork.upsample(expected_logits, shape[1:]).topk(2, dim=1).values
        assert torch.equal(expected, predict(expected_logits, shape[1:])), "evaluation predicts otherwise"
    scale = float(expected_logits.abs().max())
    np.testing.assert_allclose(logits, expected_logits.numpy(), atol=1e-4 * scale)
    differs = mask != expected.numpy()
    margin = (upsampled[:, 0] - upsampled[:, 1]).numpy()
    assert differs.mean() < 1e-4
    assert margin[differs].max(initial=0.0) <= 2 * np.abs(logits - expected_logits.numpy()).max()
    assert np.abs(confidence.astype(int) - expected_confidence.numpy()).max() <= 1


@pytest.mark.parametrize(
    "architecture", [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES]
)
def test_every_size_and_batch_gives_what_pytorch_gives(architecture: str) -> None:
    built = network(architecture)
    model = make_graph(built, spec(built), ALL_OUTPUTS)
    stride, smallest = built.multiple, smallest_side(built) // built.multiple
    multiples = {(smallest, smallest), (smallest + 1, smallest + 2), (smallest + 6, smallest + 10)}
    for rows, columns in sorted(multiples):
        assert_same(model, built, (1, rows * stride, columns * stride))
    assert_same(model, built, (3, smallest * stride, (smallest + 2) * stride))


@pytest.mark.slow
@pytest.mark.parametrize("shapes", ["fixed", "batch"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_fixed_shapes_give_what_pytorch_gives(architecture: str, shapes: str) -> None:
    built = network(architecture)
    described = spec(built, shapes)
    model = make_graph(built, described, ALL_OUTPUTS)
    for batch in (1,) if shapes == "fixed" else (1, 3):
        assert_same(model, built, (batch, described.height, described.width))


def test_the_file_is_of_the_oldest_format_that_its_runtimes_need(exported: Path) -> None:
    for name in ("model.onnx", "model.fp16.onnx"):
        model = onnx.load(exported / name)
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)] == [("", 18)]
        assert model.ir_version == IR_VERSION == 8
        assert not model.functions
        assert not any(node.metadata_props or node.doc_string for node in model.graph.node)
        assert str(Path.cwd()) not in str(model)


def test_the_file_says_what_it_is(exported: Path, run: Path) -> None:
    session = onnxruntime.InferenceSession(exported / "model.onnx", providers=["CPUExecutionProvider"])
    properties = session.get_modelmeta().custom_metadata_map
    trained = load_run(run)
    assert json.loads(properties["classes"]) == trained.config.data.classes
    assert [tuple(colour) for colour in json.loads(properties["palette"])] == trained.config.data.palette
    assert json.loads(properties["mean"]) == trained.network.mean.flatten().tolist()
    assert (properties["height"], properties["width"]) == tuple(map(str, SIZE))
    assert json.loads(properties["versions"])["torch"] == torch.__version__.partition("+")[0]
    manifest: dict[str, Any] = json.loads((exported / "manifest.json").read_text())
    assert properties["weights_sha256"] == manifest["student"]["weights_sha256"]


def test_layers_have_pytorchs_names(exported: Path, run: Path) -> None:
    model = onnx.load(exported / "model.onnx")
    convolutions = [node.name for node in model.graph.node if node.op_type == "Conv"]
    layers = dict(load_run(run).network.named_modules())
    assert [name for name in convolutions if name not in layers and name != "classifier"] == []
    assert upsampling(model, exported).input[0] == "logits"


class Small(SegmentationNetwork):
    """A network that is a classifier and one more layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__(classes=3, multiple=1, mean=[0.0] * 3, std=[1.0] * 3)
        self.layers = nn.Sequential(nn.Conv2d(3, 3, 1), layer)

    def maps(self, image: Tensor, decoded: bool) -> dict[str, Tensor]:
        assert decoded
        return {"logits": self.layers(image)}


class Unknown(nn.Module):
    """A layer that no exporter has heard of."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.special.bessel_j0(features)


class Branching(nn.Module):
    """A layer that looks at the values to decide what to do."""

    def forward(self, features: Tensor) -> Tensor:
        return features if float(features.sum()) > 0 else -features


@pytest.mark.parametrize(("layer", "named"), [(Unknown, "bessel_j0"), (Branching, "[Dd]ata-dependent")])
def test_a_layer_that_cannot_be_exported_is_one_line(layer: type[nn.Module], named: str) -> None:
    built = Small(layer()).eval()
    with pytest.raises(UserError, match=rf"the network cannot be written as ONNX: .*{named}") as error:
        make_graph(built, spec(built), OutputSpec())
    assert "\n" not in str(error.value)


def test_a_layer_of_another_library_is_named() -> None:
    model = make_graph(Small(nn.ReLU()).eval(), spec(Small(nn.ReLU())), OutputSpec())
    model.graph.node[-1].domain = "com.example"
    with pytest.raises(UserError, match=r"operations that ONNX does not know \(com\.example\.Cast\)"):
        check_operations(model)


def test_a_group_norm_of_one_value_asks_for_a_larger_side() -> None:
    decoder: dict[str, Any] = {"decoder_pyramid_channels": 32, "decoder_segmentation_channels": 32}
    network = build_model(ModelConfig(architecture="fpn", encoder="lcnet_035", decoder=decoder), 3).eval()
    assert smallest_side(network) == 2 * network.multiple
