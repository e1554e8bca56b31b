"""ONNX Runtime behind the engine's protocol."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper

from export.bundle import Bundle, BundleError, file_record, load_bundle, save_manifest
from export.manifest import DEFAULT_ROLE
from serve.engines.onnx_runtime import OnnxRuntimeEngine


def test_batches_of_any_size_go_through(bundle):
    engine = OnnxRuntimeEngine(load_bundle(bundle), DEFAULT_ROLE)
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    ids = engine.infer(images).ids
    assert ids.dtype == np.uint8
    np.testing.assert_array_equal(ids, images.argmax(-1))


def test_a_fixed_graph_takes_one_image(bundle):
    loaded = load_bundle(bundle)
    spec = loaded.manifest.input.model_copy(update={"dynamic_batch": False})
    fixed = Bundle(bundle, loaded.manifest.model_copy(update={"input": spec}))
    assert OnnxRuntimeEngine(fixed, DEFAULT_ROLE).largest_batch == 1
    assert OnnxRuntimeEngine(loaded, DEFAULT_ROLE).largest_batch is None


def test_the_configuration_that_was_tuned_is_used(bundle):
    loaded = load_bundle(bundle)
    record = loaded.record(DEFAULT_ROLE).model_copy(update={"session": {"session.intra_op.allow_spinning": "0"}})
    tuned = Bundle(bundle, loaded.manifest.model_copy(update={"files": {DEFAULT_ROLE: record}}))
    options = OnnxRuntimeEngine(tuned, DEFAULT_ROLE)._session.get_session_options()
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_file_that_is_no_graph(tmp_path, make_bundle):
    root = make_bundle(tmp_path / "bundle")
    manifest = load_bundle(root).manifest
    (root / "model.onnx").write_bytes(b"no graph")
    save_manifest(root, manifest.model_copy(update={"files": {DEFAULT_ROLE: file_record(root / "model.onnx")}}))
    with pytest.raises(BundleError, match=r"model\.onnx: ONNX Runtime cannot load it"):
        OnnxRuntimeEngine(load_bundle(root), DEFAULT_ROLE)


def identity(output: str) -> ModelProto:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])
    mask = helper.make_tensor_value_info(output, TensorProto.UINT8, ["n", "h", "w", 3])
    graph = helper.make_graph([helper.make_node("Identity", ["image"], [output])], "identity", [image], [mask])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


@pytest.mark.parametrize("output", ["mask", "other"])
def test_a_graph_that_is_not_what_the_manifest_says(tmp_path, make_bundle, output):
    root = make_bundle(tmp_path / "bundle", identity(output))
    with pytest.raises(BundleError, match="no uint8 'mask' of 3 dimensions"):
        OnnxRuntimeEngine(load_bundle(root), DEFAULT_ROLE)


def test_onnxruntime_is_told_to_send_no_telemetry(bundle, tmp_path):
    """It would leave an identifier of the machine in the home folder, and keep what it sends there."""
    load = (
        "import sys; from pathlib import Path; from export.bundle import load_bundle;"
        "from serve.engines.choose import open_engine; open_engine(load_bundle(Path(sys.argv[1])))"
    )
    unset = ("ORT_DISABLE_TELEMETRY", "CI", "XDG_CACHE_HOME")
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {"HOME": str(tmp_path)}
    command = [sys.executable, "-c", load, str(bundle)]
    subprocess.run(command, check=True, env=environment, cwd=Path(__file__).parents[3])
    assert list(tmp_path.iterdir()) == []
