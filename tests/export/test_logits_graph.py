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
from export.preprocess import preprocess
from tests.export.tensorrt.graphs import one_convolution
from tests.export.tensorrt.test_students import ARCHITECTURES, input_spec, student
from tests.kernels.cuda.on_cpu.kernels import Run, compile_for_cpu, runner
from tests.kernels.cuda.on_cpu.upsample_argmax import class_map
from train.data.image import read_image

PATH = Path("model.onnx")
ROOT = Path(__file__).parents[2]
BUNDLE, VAL = ROOT / "bundles" / "camvid", ROOT.parent / "shared" / "data" / "camvid" / "val"


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runner(compile_for_cpu(tmp_path_factory.mktemp("kernels") / "kernels.so"))


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def run_graph(model: onnx.ModelProto, names: list[str], images: np.ndarray) -> list[np.ndarray]:
    return list(session(model).run(names, {"image": images}))


def pictures(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), np.uint8)


def assert_the_same(kernels: Run, model: onnx.ModelProto, images: np.ndarray, precision: str) -> None:
    """Equal class maps; where two classes are as close as the logits are exact, either is right.

    ONNX Runtime leaves out the rounding of the whole graph's logits to fp16, as they are cast to fp32 at once.
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
    np.testing.assert_array_equal(logits, whole_logits.astype(logits.dtype))
    error = np.abs(logits.astype(np.float32) - whole_logits).max()
    ids, confidence = class_map(kernels, logits, images.shape[1:3])
    differs = ids != whole_ids
    assert differs.mean() < 0.01
    assert margins(whole_logits, images.shape[1:3])[differs].max(initial=0) <= 2 * error + 1e-6
    may_differ = 1 + 255 * error / 2  # a probability moves by half of what the logits move
    assert np.abs(confidence.astype(int) - whole_confidence).max() <= may_differ


def margins(logits: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """The largest upsampled logit of each pixel less its second."""
    upsampled = torch.nn.functional.interpolate(torch.from_numpy(logits).double(), size, mode="bilinear")
    best = upsampled.topk(2, dim=1).values.numpy()
    return best[:, 0] - best[:, 1]


@pytest.mark.slow
@pytest.mark.skipif(not (BUNDLE.is_dir() and VAL.is_dir()), reason="no bundles/camvid, or no ../shared/data/camvid")
@pytest.mark.parametrize(("precision", "most"), [("fp32", 0), ("fp16", 500)])
def test_the_class_maps_of_the_camvid_student(kernels: Run, precision: str, most: int) -> None:
    """Pixels of another class, of all 101 pictures; what is left over in fp16 is the rounding of `assert_the_same`."""
    bundle = load_bundle(BUNDLE)
    model = onnx.load(bundle.file("onnx"))
    model = to_fp16(model, PATH) if precision == "fp16" else model
    whole, cut = (session(graph) for graph in (model, cut_at_logits(model, PATH)[0]))
    differing = 0
    for path in sorted(VAL.glob("*.jpg")):
        image = preprocess(read_image(path), bundle.manifest.input)
        (mask,), (logits,) = (each.run(None, {"image": image}) for each in (whole, cut))
        differing += int((class_map(kernels, logits, image.shape[1:3])[0] != mask).sum())
    assert differing <= most


def test_a_trained_network_in_both_precisions_at_any_size(kernels: Run, exported: Path) -> None:
    bundle = load_bundle(exported)
    spec = bundle.manifest.input
    for role, precision in (("onnx", "fp32"), ("onnx_fp16", "fp16")):
        for shape in ((1, spec.height, spec.width), (3, 128, 64)):
            assert_the_same(kernels, onnx.load(bundle.file(role)), pictures(*shape), precision)


@pytest.mark.slow
@pytest.mark.parametrize("dynamic", [False, True], ids=["fixed", "dynamic"])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture(kernels: Run, architecture: str, dynamic: bool) -> None:
    network = student(architecture)
    spec = input_spec(network, dynamic)
    model = make_graph(network, spec, OutputSpec(confidence="confidence"))
    images = pictures(1, spec.height, spec.width)
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
