"""The graph up to its logits, with the kernel behind it, gives what the whole graph gives."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper

from export.bundle import BundleError, load_bundle
from export.fp16 import to_fp16
from export.graph import make_graph
from export.head import upsampling
from export.logits_graph import cut_at_logits
from export.manifest import OutputSpec
from tests.export.tensorrt.graphs import one_convolution
from tests.export.test_graph import ARCHITECTURES, network, spec
from tests.kernels.cuda.on_cpu.kernels import Run, compile_for_cpu, runner
from tests.kernels.cuda.on_cpu.upsample_argmax import class_map

PATH = Path("model.onnx")


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runner(compile_for_cpu(tmp_path_factory.mktemp("kernels") / "kernels.so"))


def run_graph(model: onnx.ModelProto, names: list[str], images: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(names, {"image": images}))


def pictures(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def assert_the_same(kernels: Run, model: onnx.ModelProto, images: np.ndarray, precision: str) -> None:
    """Equal class maps; where two classes are as close as the logits are exact, either is right.

    In fp16 the logits differ: ONNX Runtime leaves out the last rounding of the whole graph, which a cast takes back.
    """
    cut, dtype = cut_at_logits(model, PATH)
    assert dtype == precision
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    low = upsampling(model, PATH).input[0]
    if low not in {output.name for output in whole.graph.output}:
        whole.graph.output.append(onnx.ValueInfoProto(name=low))
    whole_ids, whole_confidence, whole_logits = run_graph(whole, ["mask", "confidence", low], images)
    (logits,) = run_graph(cut, ["logits"], images)
    error = np.abs(logits.astype(np.float32) - whole_logits).max()
    assert error <= {"fp32": 0, "fp16": 2e-3 * np.abs(whole_logits).max()}[precision]
    ids, confidence = class_map(kernels, logits, images.shape[1:3])
    differs = ids != whole_ids
    assert differs.mean() < 0.01
    assert margins(whole_logits, images.shape[1:3])[differs].max(initial=0) <= 2 * error + 1e-6
    assert np.abs(confidence.astype(int) - whole_confidence).max() <= 1


def margins(logits: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The largest upsampled logit of each pixel less its second."""
    upsampled = torch.nn.functional.interpolate(torch.from_numpy(logits).double(), size, mode="bilinear")
    best = upsampled.topk(2, dim=1).values.numpy()
    return best[:, 0] - best[:, 1]


def test_a_trained_network_in_both_precisions_at_any_size(kernels: Run, exported: Path) -> None:
    bundle = load_bundle(exported)
    spec = bundle.manifest.input
    for role, precision in (("onnx", "fp32"), ("onnx_fp16", "fp16")):
        for shape in ((1, spec.height, spec.width), (3, 128, 64)):
            assert_the_same(kernels, onnx.load(bundle.file(role)), pictures(*shape), precision)


@pytest.mark.slow
@pytest.mark.parametrize("shapes", ["fixed", "dynamic"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture(kernels: Run, architecture: str, shapes: str) -> None:
    built = network(architecture)
    taken = spec(built, shapes)
    model = make_graph(built, taken, OutputSpec(confidence="confidence"))
    images = pictures(1, taken.height, taken.width)
    assert_the_same(kernels, model, images, "fp32")
    assert_the_same(kernels, to_fp16(model, PATH), images, "fp16")


@pytest.mark.parametrize("role", ["onnx", "onnx_fp16"])
def test_nothing_is_left_behind_the_logits(exported: Path, role: str) -> None:
    bundle = load_bundle(exported)
    graph = cut_at_logits(onnx.load(bundle.file(role)), PATH)[0].graph
    assert (graph.node[-1].op_type, list(graph.node[-1].output)) == ("Conv", ["logits"])
    assert [output.name for output in graph.output] == ["logits"]
    assert [value.name for value in graph.input] == ["image"]
    assert {weight.name for weight in graph.initializer} <= {name for node in graph.node for name in node.input}


def test_the_graph_itself_stays_as_it_was() -> None:
    model = one_convolution()
    before = model.SerializeToString()
    cut_at_logits(model, PATH)
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    ("name", "value"), [("mode", "nearest"), ("coordinate_transformation_mode", "align_corners"), ("antialias", 1)]
)
def test_another_upsampling_is_refused(name: str, value: object) -> None:
    model = one_convolution()
    resize = next(node for node in model.graph.node if node.op_type == "Resize")
    kept = [each for each in resize.attribute if each.name != name]
    del resize.attribute[:]
    resize.attribute.extend([*kept, helper.make_attribute(name, value)])
    with pytest.raises(BundleError, match=r"model\.onnx: its logits are not upsampled bilinearly with half-pixel"):
        cut_at_logits(model, PATH)
