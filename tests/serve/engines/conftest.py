"""Bundles whose files are a real network's, in every form that runs on a CPU."""

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from export.bundle import Bundle, file_record, load_bundle, save_manifest, sha256
from export.graph import make_graph, smallest_side
from export.manifest import FileRecord, InputSpec, Manifest, OutputSpec
from export.openvino_session import load_openvino
from train.models.build import build_model
from train.models.config import ModelConfig
from train.models.network import SegmentationNetwork

CLASSES = 5
HEIGHT, WIDTH = 64, 96


@pytest.fixture(scope="session")
def network_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small DeepLabV3+ as ONNX and OpenVINO IR, each with confidence, each said to be proven. Read only."""
    root = tmp_path_factory.mktemp("engines") / "bundle"
    root.mkdir()
    network = _network()
    spec = InputSpec(
        height=HEIGHT, width=WIDTH, multiple=network.multiple, smallest=smallest_side(network), mean=[0], std=[1]
    )
    output = OutputSpec(confidence="confidence")
    onnx.save(make_graph(network, spec, output), root / "model.onnx")
    manifest = Manifest(
        name="network",
        created="2026-01-01T00:00:00Z",
        classes=[f"class {index}" for index in range(CLASSES)],
        palette=[(index, 0, 0) for index in range(CLASSES)],
        input=spec,
        output=output,
        files={"onnx": file_record(root / "model.onnx", verified=True), "openvino": write_ir(root)},
        student={"name": "none"},
    )
    save_manifest(root, manifest)
    return load_bundle(root)


def write_ir(root: Path) -> FileRecord:
    """``model.openvino.xml`` of ``model.onnx``."""
    pytest.importorskip("openvino")
    library = load_openvino()
    path = root / "model.openvino.xml"
    library.save_model(library.Core().read_model(root / "model.onnx"), path, compress_to_fp16=False)
    weights = path.with_suffix(".bin")
    return file_record(path, runtime="openvino", parts={weights.name: sha256(weights)}, verified=True)


def pictures(count: int, height: int = HEIGHT, width: int = WIDTH, seed: int = 0) -> np.ndarray:
    """Patches of colour with noise, RGB ``(count, height, width, 3)``: neighbouring pixels mostly agree."""
    random = np.random.default_rng(seed)
    patches = random.integers(0, 220, (count, height // 16, width // 16, 3)).repeat(16, 1).repeat(16, 2)
    return (patches + random.integers(0, 36, (count, height, width, 3))).astype(np.uint8)


def _network() -> SegmentationNetwork:
    """Its normalisation has seen some pictures, so that its logits are of sane size."""
    torch.manual_seed(0)
    config = {"architecture": "deeplabv3plus", "encoder": "mobilenetv4_conv_small_035"}
    network = build_model(ModelConfig.model_validate({**config, "decoder": {"decoder_channels": 16}}), CLASSES)
    with torch.no_grad():
        for seed in range(12):
            network.train()(torch.from_numpy(pictures(2, seed=seed)).permute(0, 3, 1, 2))
    return network.eval()


@pytest.fixture(scope="session")
def bundle_without_confidence(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The three colours of `tests.serve.conftest`, as ONNX and OpenVINO IR."""
    root = Path(shutil.copytree(bundle, tmp_path_factory.mktemp("engines") / "colours"))
    manifest = load_bundle(root).manifest
    save_manifest(root, manifest.model_copy(update={"files": {**manifest.files, "openvino": write_ir(root)}}))
    return load_bundle(root)
