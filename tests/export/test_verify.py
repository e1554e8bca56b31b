"""A bundle is believed only after it said the same as PyTorch."""

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image
from safetensors.torch import load_file, save_file

from export.bundle import MANIFEST, BundleError, file_record, load_bundle, save_manifest
from export.manifest import Accuracy, FileRecord, Manifest
from export.proof import faults
from tests.export.commands import verify
from train.checkpoint import load_run
from train.data.open import open_dataset


def enter(root: Path, record: FileRecord) -> None:
    """Put another graph into the manifest, as if it had been exported."""
    manifest = load_bundle_unchecked(root)
    save_manifest(root, manifest.model_copy(update={"files": {**manifest.files, "onnx": record}}))


def load_bundle_unchecked(root: Path) -> Manifest:
    return Manifest.model_validate_json((root / MANIFEST).read_text())


def test_a_true_bundle_is_marked_verified(bundle_root: Path) -> None:
    assert not load_bundle(bundle_root).manifest.verified
    verify(bundle_root)
    manifest = load_bundle(bundle_root).manifest
    assert manifest.verified
    assert manifest.files["onnx"].accuracy is not None
    assert manifest.files["onnx"].accuracy.agreement == 1.0


def test_other_weights_fail_with_pictures(bundle_root: Path) -> None:
    verify(bundle_root)
    model = onnx.load(bundle_root / "model.onnx")
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
    onnx.save(model, bundle_root / "model.onnx")
    enter(bundle_root, file_record(bundle_root / "model.onnx"))
    with pytest.raises(BundleError, match="look at the worst pictures"):
        verify(bundle_root, "--role", "onnx")
    assert not load_bundle(bundle_root).manifest.verified
    pictures = list(bundle_root.with_name("bundle-differences").joinpath("onnx").iterdir())
    assert len(pictures) == 4
    with Image.open(pictures[0]) as picture:
        assert picture.size[0] > 4 * 96


def test_a_folder_of_pictures_with_and_without_labels(bundle_root: Path, run: Path, tmp_path: Path) -> None:
    data = load_run(run).config.data
    dataset = open_dataset(data, "val")
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for index in range(len(dataset)):
        sample = dataset[index]
        Image.fromarray(np.repeat(np.repeat(sample.image, 2, 0), 2, 1)).save(tmp_path / f"images/{sample.name}.png")
        Image.fromarray(np.repeat(np.repeat(sample.label, 2, 0), 2, 1)).save(tmp_path / f"masks/{sample.name}.png")
    verify(bundle_root, "--images", str(tmp_path / "images"))
    unlabelled = load_bundle(bundle_root).manifest.files["onnx"].accuracy
    verify(bundle_root, "--images", str(tmp_path / "images"), "--masks", str(tmp_path / "masks"))
    labelled = load_bundle(bundle_root).manifest.files["onnx"].accuracy
    assert unlabelled is not None
    assert labelled is not None
    assert unlabelled.miou_bundle is None
    assert labelled.miou_bundle == labelled.miou_pytorch
    assert labelled.agreement == unlabelled.agreement == 1.0


def test_each_file_has_its_own_proof_and_threshold(bundle_root: Path, tmp_path: Path) -> None:
    verify(bundle_root, "--json", str(tmp_path / "result.json"))
    files = load_bundle(bundle_root).manifest.files
    fp32, fp16 = (files[role].accuracy for role in ("onnx", "onnx_fp16"))
    assert fp32 is not None
    assert fp16 is not None
    assert files["onnx_fp16"].verified
    assert (fp32.differing_pixels, fp32.largest_margin, fp32.boundary_agreement) == (0, None, 1.0)
    assert (fp32.deterministic, fp32.not_finite) == (True, 0)
    assert fp32.max_confidence_error is not None
    assert fp32.max_confidence_error <= 1
    assert fp16.max_logits_error > fp32.max_logits_error
    assert fp16.differing_pixels == round((1 - fp16.agreement) * 4 * 64 * 96)
    result = json.loads((tmp_path / "result.json").read_text())
    listed = result["onnx_fp16"]["accuracy"]["pixels"]
    margins = [pixel["margin"] for pixel in listed]
    assert margins == sorted(margins, reverse=True)
    assert max(margins, default=None) == fp16.largest_margin
    assert len(listed) == min(fp16.differing_pixels, 50)


def test_a_logit_that_is_no_number_fails(bundle_root: Path) -> None:
    path = bundle_root / "model.onnx"
    model = onnx.load(path)
    classifier = next(node for node in model.graph.node if "logits" in node.output)
    bias = next(tensor for tensor in model.graph.initializer if tensor.name == classifier.input[2])
    values = numpy_helper.to_array(bias).copy()
    values[0] = np.nan
    bias.CopyFrom(numpy_helper.from_array(values, bias.name))
    onnx.save(model, path)
    enter(bundle_root, file_record(path))
    with pytest.raises(BundleError, match=r"\d+ of its logits are NaN or infinite"):
        verify(bundle_root, "--role", "onnx")
    assert not load_bundle(bundle_root).manifest.verified


def test_a_file_that_cannot_run_here_is_neither_passed_nor_failed(
    bundle_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle_root / "model.plan").write_bytes(b"a plan")
    plan = file_record(bundle_root / "model.plan", precision="fp16", runtime="tensorrt")
    manifest = load_bundle(bundle_root).manifest
    save_manifest(
        bundle_root, manifest.model_copy(update={"files": {"onnx": manifest.files["onnx"], "trt_87_fp16": plan}})
    )
    verify(bundle_root, "--json", str(tmp_path / "result.json"))
    assert "model.plan: not verified here: " in capsys.readouterr().out
    assert not load_bundle(bundle_root).manifest.files["trt_87_fp16"].verified
    result = json.loads((tmp_path / "result.json").read_text())["trt_87_fp16"]
    assert (result["passed"], result["accuracy"]) == (False, None)
    assert result["not_verified_here"]


def test_less_agreement_is_well_where_no_miou_is_lost() -> None:
    record = FileRecord(path="m", precision="int8", sha256="", size_bytes=1)
    accuracy = Accuracy(dataset="d", split="val", images=1, agreement=0.97)
    assert faults(record, accuracy) == ["it agrees with PyTorch on 0.97000 of the pixels, int8 needs 0.98"]
    scored = accuracy.model_copy(update={"miou_pytorch": 0.6, "miou_bundle": 0.596})
    assert faults(record, scored) == []
    assert faults(record, scored.model_copy(update={"miou_bundle": 0.59}))
    assert faults(record.model_copy(update={"precision": "fp32"}), scored)
    assert faults(record, scored.model_copy(update={"deterministic": False})) == [
        "a second run of the same picture gave another answer"
    ]


def test_a_student_that_trained_on_is_not_the_exported_one(bundle_root: Path, run: Path, tmp_path: Path) -> None:
    trained_on = shutil.copytree(run, tmp_path / "run", symlinks=True)
    weights = trained_on / "checkpoints" / "best" / "model.safetensors"
    save_file({name: 1.01 * tensor for name, tensor in load_file(weights).items()}, weights)
    with pytest.raises(BundleError, match="trained on since"):
        verify(bundle_root, "--run", str(trained_on))
