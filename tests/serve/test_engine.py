"""ONNX Runtime behind the engine's protocol."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.bundle import BundleError, file_record, load_bundle, save_manifest
from serve.engine import OnnxRuntimeEngine


def test_batches_of_any_size_go_through(bundle):
    engine = OnnxRuntimeEngine(load_bundle(bundle))
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    ids = engine.infer(images)
    assert ids.dtype == np.uint8
    np.testing.assert_array_equal(ids, images.argmax(-1))


def test_it_says_what_it_is(bundle):
    engine = OnnxRuntimeEngine(load_bundle(bundle), threads=2)
    assert (engine.device, engine.threads) == ("cpu", 2)
    assert engine.runtime.startswith("onnxruntime ")


def test_a_file_that_is_no_graph(tmp_path, make_bundle):
    root = make_bundle(tmp_path / "bundle")
    (root / "model.onnx").write_bytes(b"no graph")
    manifest = load_manifest_with_new_hash(root)
    save_manifest(root, manifest)
    with pytest.raises(BundleError, match=r"model\.onnx: ONNX Runtime cannot load it"):
        OnnxRuntimeEngine(load_bundle(root))


def load_manifest_with_new_hash(root):
    from export.bundle import MANIFEST
    from export.manifest import Manifest

    manifest = Manifest.model_validate_json((root / MANIFEST).read_text())
    return manifest.model_copy(update={"files": {"onnx": file_record(root / "model.onnx")}})


def test_a_graph_that_is_not_what_the_manifest_says(tmp_path, make_bundle):
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", "h", "w", 3])
    mask = helper.make_tensor_value_info("mask", TensorProto.FLOAT, ["n", "h", "w", 3])
    graph = helper.make_graph([helper.make_node("Identity", ["image"], ["mask"])], "identity", [image], [mask])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    root = make_bundle(tmp_path / "bundle", model)
    with pytest.raises(BundleError, match="no uint8 'image' of 4 dimensions"):
        OnnxRuntimeEngine(load_bundle(root))
    assert onnx.load(root / "model.onnx").graph.name == "identity"


def test_onnxruntime_is_told_to_send_no_telemetry(bundle, tmp_path):
    """It would leave an identifier of the machine in the home folder, and keep what it sends there."""
    load = (
        "import sys; from pathlib import Path; from export.bundle import load_bundle;"
        "from serve.engine import OnnxRuntimeEngine; OnnxRuntimeEngine(load_bundle(Path(sys.argv[1])))"
    )
    unset = ("ORT_DISABLE_TELEMETRY", "CI", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {"HOME": str(tmp_path)}
    command = [sys.executable, "-c", load, str(bundle)]
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[2])
    assert list(tmp_path.iterdir()) == []
