"""A bundle is believed only after it said the same as PyTorch."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper
from PIL import Image

from export.bundle import BundleError, file_record, load_bundle, save_manifest
from tests.export.commands import export, verify
from tests.export.conftest import small_config
from train.checkpoint import load_run
from train.data.open import open_dataset
from train.recipe import train


def test_a_true_bundle_is_marked_verified(bundle_root: Path) -> None:
    assert not load_bundle(bundle_root).manifest.verified
    verify(bundle_root)
    manifest = load_bundle(bundle_root).manifest
    assert manifest.verified
    assert manifest.files["onnx"].accuracy is not None
    assert manifest.files["onnx"].accuracy.agreement == 1.0


def test_other_weights_fail_with_pictures(bundle_root: Path) -> None:
    verify(bundle_root)
    manifest = load_bundle(bundle_root).manifest
    model = onnx.load(bundle_root / "model.onnx")
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
    onnx.save(model, bundle_root / "model.onnx")
    save_manifest(bundle_root, manifest.model_copy(update={"files": {"onnx": file_record(bundle_root / "model.onnx")}}))
    with pytest.raises(BundleError, match="look at the worst pictures"):
        verify(bundle_root)
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


def test_a_student_that_trained_on_is_not_the_exported_one(tmp_path: Path) -> None:
    train(small_config(tmp_path))
    export(tmp_path / "small", tmp_path / "bundle", "--no-verify")
    train(small_config(tmp_path, overwrite=True, seed=1))
    with pytest.raises(BundleError, match="trained on since"):
        verify(tmp_path / "bundle")
