"""``export.quantize`` adds a proven INT8 file to a bundle, or leaves the bundle as it was."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from export.bundle import BundleError, file_record, load_bundle, save_manifest, sha256
from export.lock import locked
from export.session import open_session
from tests.export.commands import quantize
from train.errors import UserError

_QUICK = ("--images-count", "3", "--score-images", "2", "--layer-images", "1", "--samples", "2", "--threads", "1")


def quantise(bundle: Path, calibration: Path, *options: str) -> None:
    """In seconds."""
    quantize(bundle, "--calibration", str(calibration), *_QUICK, *options)


@pytest.fixture(scope="module")
def calibration(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four photographs of the generated streets. Read only."""
    folder = tmp_path_factory.mktemp("calibration")
    for sample in (exported / "samples").iterdir():
        shutil.copy(sample, folder / sample.name)
    return folder


@pytest.fixture(scope="module")
def quantised(exported: Path, calibration: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with an INT8 file. Read only."""
    root = Path(shutil.copytree(exported, tmp_path_factory.mktemp("int8") / "bundle"))
    quantise(root, calibration, "--max-drop", "100")
    return root


def content(root: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(root.iterdir()) if path.is_file()}


def test_the_file_is_entered_with_its_proof(quantised: Path, exported: Path) -> None:
    bundle = load_bundle(quantised)
    record = bundle.record("onnx_int8")
    assert (record.path, record.precision, record.runtime) == ("model.int8.onnx", "int8", "onnxruntime")
    assert record.verified
    assert record.accuracy is not None
    assert record.accuracy.miou_bundle is not None
    assert record.source_sha256 == bundle.record("onnx").sha256
    assert bundle.record("onnx") == load_bundle(exported).record("onnx")
    assert 2 * record.size_bytes < bundle.record("onnx").size_bytes


def test_the_calibration_images_are_recorded(quantised: Path, calibration: Path) -> None:
    recorded = load_bundle(quantised).record("onnx_int8").options["calibration"]
    assert len(recorded["images"]) == 3
    assert all(sha256(calibration / name) == digest for name, digest in recorded["images"].items())
    assert recorded["rule"] == "the 3 images with the smallest sha256 of '0:<name>'"


def test_it_takes_and_gives_what_the_fp32_graph_does(quantised: Path) -> None:
    bundle = load_bundle(quantised)
    sessions = [open_session(bundle.file(role), 1, ["CPUExecutionProvider"]) for role in ("onnx", "onnx_int8")]
    image = np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8)
    fp32, int8 = (session.run(None, {"image": image}) for session in sessions)
    assert [(value.shape, value.dtype) for value in fp32] == [(value.shape, value.dtype) for value in int8]
    properties = [session.get_modelmeta().custom_metadata_map for session in sessions]
    assert properties[0]["classes"] == properties[1]["classes"]


def test_the_report_says_what_was_measured(quantised: Path) -> None:
    report = json.loads((quantised / "model.int8.json").read_text())
    assert report["verdict"][0].startswith("INT8 ")
    assert len(report["layers"]) > 40
    losses = [layer["loss"]["agreement"] for layer in report["layers"]]
    assert losses == sorted(losses, reverse=True)
    assert {(timing["precision"], timing["runtime"]) for timing in report["timings"]} >= {
        ("fp32", "onnxruntime"),
        ("int8", "onnxruntime"),
    }
    assert (quantised / "model.int8.md").read_text().startswith("# INT8 of ")


def test_the_same_again_is_reused(quantised: Path, calibration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(quantised)
    quantise(quantised, calibration, "--max-drop", "100")
    assert "reused, and its proof" in capsys.readouterr().out
    assert content(quantised) == before


def empty(root: Path) -> str:
    (root / "empty").mkdir()
    return str(root / "empty")


def one_colour(root: Path) -> str:
    folder = root / "grey"
    folder.mkdir()
    Image.new("RGB", (96, 64), (7, 7, 7)).save(folder / "grey.png")
    return str(folder)


def broken(root: Path) -> str:
    folder = root / "broken"
    folder.mkdir()
    (folder / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    return str(folder)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (lambda root: ["--calibration", str(root / "none")], "none: no such folder"),
        (lambda root: ["--calibration", empty(root)], "empty: no images here"),
        (lambda root: ["--calibration", one_colour(root)], r"grey\.png: is of one colour"),
        (lambda root: ["--calibration", broken(root)], r"cut\.jpg: "),
        (lambda root: ["--masks", str(root)], "--masks .*: needs --images"),
        (lambda root: ["--images", str(root / "bundle/samples"), "--masks", empty(root)], "label cannot be read"),
        (lambda root: ["--run", str(root / "gone")], "gone: no 'best' checkpoint"),
        (lambda _: ["--max-drop", "-1"], "--max-drop -1.0: Input should be greater than or equal to 0"),
        (lambda _: ["--percentile", "101"], "--percentile 101.0: Input should be less than or equal to 100"),
        (lambda _: ["--images-count", "0"], "--images-count 0: must be at least 1"),
    ],
)
def test_bad_input_leaves_the_bundle_as_it_was(options, message, bundle_root: Path, calibration: Path) -> None:
    before = content(bundle_root)
    with pytest.raises(UserError, match=message):
        quantise(bundle_root, calibration, *options(bundle_root.parent))
    assert content(bundle_root) == before


def test_a_graph_that_is_quantised_already(quantised: Path, calibration: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(quantised, tmp_path / "bundle"))
    shutil.copy(root / "model.int8.onnx", root / "model.onnx")
    manifest = load_bundle(quantised).manifest
    save_manifest(root, manifest.model_copy(update={"files": {"onnx": file_record(root / "model.onnx")}}))
    with pytest.raises(BundleError, match="is quantised already"):
        quantise(root, calibration)


def test_without_labels_the_limit_is_of_agreement(
    bundle_root: Path, calibration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quantise(bundle_root, calibration, "--images", str(calibration), "--max-drop", "100")
    accuracy = load_bundle(bundle_root).record("onnx_int8").accuracy
    assert accuracy is not None
    assert accuracy.miou_bundle is None
    printed = capsys.readouterr().out
    assert re.search(r"layers in INT8: 2 pictures lose \d+\.\d\d points of agreement", printed)
    assert "% of the pixels" in printed


def test_two_at_once(bundle_root: Path, calibration: Path) -> None:
    before = content(bundle_root)
    with locked(bundle_root, "onnx_int8"), pytest.raises(UserError, match="another program is writing its onnx_int8"):
        quantise(bundle_root, calibration)
    assert content(bundle_root) == before


def test_what_is_not_as_pytorch_says_is_not_kept(bundle_root: Path, calibration: Path) -> None:
    manifest = load_bundle(bundle_root).manifest
    model = onnx.load(bundle_root / "model.onnx")
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
    onnx.save(model, bundle_root / "model.onnx")
    save_manifest(bundle_root, manifest.model_copy(update={"files": {"onnx": file_record(bundle_root / "model.onnx")}}))
    before = content(bundle_root)
    with pytest.raises(BundleError, match=r"model\.int8\.onnx: it agrees with PyTorch on"):
        quantise(bundle_root, calibration, "--images", str(calibration), "--max-drop", "100")
    assert content(bundle_root) == before


@pytest.mark.slow
def test_finetuning_comes_before(bundle_root: Path, calibration: Path) -> None:
    quantise(bundle_root, calibration, "--max-drop", "100", "--finetune", "1")
    record = load_bundle(bundle_root).record("onnx_int8")
    assert record.verified
    assert record.options["finetune"] == 1
