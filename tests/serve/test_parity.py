"""A network is served if it gives the class maps of its bundle's fp32 graph here, and refused if not."""

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from export.bundle import Bundle, BundleError, load_bundle, save_manifest
from export.manifest import DEFAULT_ROLE, MIN_AGREEMENT, Accuracy
from serve.engines.choose import open_engine
from serve.engines.protocol import Outputs
from serve.parity import check_parity

SAMPLES = 2


class Wrong:
    """The bundle's own engine, but for a share of its pixels."""

    def __init__(self, bundle: Bundle, share: float) -> None:
        self._engine, self._share = open_engine(bundle, "onnxruntime").engine, share
        self.role, self.runtime, self.threads = DEFAULT_ROLE, "wrong 1.0", 1

    def infer(self, images: np.ndarray, confidence: bool = False) -> Outputs:
        ids = self._engine.infer(images, confidence).ids
        ids.reshape(-1)[: round(self._share * ids.size)] += 1
        return Outputs(ids, None)


@pytest.fixture
def with_samples(bundle: Path, tmp_path: Path) -> Path:
    """A copy of the bundle whose samples are of other sizes than the network's."""
    root = Path(shutil.copytree(bundle, tmp_path / "bundle"))
    folder = root / "samples"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for number in range(SAMPLES):
        pixels = np.random.default_rng(number).integers(0, 256, (40 + number, 70, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return root


def proven(root: Path, **fields: object) -> Bundle:
    """The bundle with another record of its fp32 graph."""
    manifest = load_bundle(root).manifest
    record = manifest.files[DEFAULT_ROLE].model_copy(update=fields)
    save_manifest(root, manifest.model_copy(update={"files": {DEFAULT_ROLE: record}}))
    return load_bundle(root)


def accuracy(agreement: float) -> Accuracy:
    return Accuracy(dataset="none", split="val", images=1, agreement=agreement)


def test_the_graph_agrees_with_itself(with_samples):
    bundle = load_bundle(with_samples)
    assert check_parity(bundle, open_engine(bundle, "onnxruntime").engine) == 1.0


def test_a_bundle_without_samples_is_compared_on_noise(with_samples):
    shutil.rmtree(with_samples / "samples")
    bundle = load_bundle(with_samples)
    assert check_parity(bundle, Wrong(bundle, share=0.0)) == 1.0
    with pytest.raises(BundleError, match=r"for 0\.\d+ of the pixels"):
        check_parity(bundle, Wrong(bundle, share=0.5))


@pytest.mark.parametrize("precision", MIN_AGREEMENT)
def test_each_precision_may_cost_as_much_as_its_proof_asks_for(with_samples, precision):
    bundle = proven(with_samples, precision=precision)
    may_differ = 1 - MIN_AGREEMENT[precision]
    assert check_parity(bundle, Wrong(bundle, share=0.5 * may_differ)) >= MIN_AGREEMENT[precision]
    reason = rf"'onnx' on wrong 1\.0 gives .*less than {MIN_AGREEMENT[precision]:.4f}: build it again here"
    with pytest.raises(BundleError, match=reason) as error:
        check_parity(bundle, Wrong(bundle, share=2 * may_differ + 0.01))
    assert "\n" not in str(error.value)


def test_a_file_proven_by_its_miou_may_differ_as_it_did_there_and_little_more(with_samples):
    bundle = proven(with_samples, precision="int8", accuracy=accuracy(0.9), verified=True)
    assert check_parity(bundle, Wrong(bundle, share=0.1)) < MIN_AGREEMENT["int8"]
    with pytest.raises(BundleError, match=r"less than 0\.8900"):
        check_parity(bundle, Wrong(bundle, share=0.2))


def test_without_onnx_runtime_the_proof_counts(with_samples, monkeypatch):
    bundle = proven(with_samples, accuracy=accuracy(0.9975), verified=True)
    wrong = Wrong(bundle, share=1.0)
    for name in ("onnxruntime", "export.session"):
        monkeypatch.setitem(sys.modules, name, None)
    assert check_parity(bundle, wrong) == 0.9975
    with pytest.raises(BundleError, match="is not verified, and there is no ONNX Runtime here"):
        check_parity(proven(with_samples, verified=False), wrong)
