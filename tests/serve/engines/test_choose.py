"""The engine that is asked for, or the best there is with the reason why it is not a better one."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from export import trt
from export.bundle import load_bundle, save_manifest
from export.tensorrt.gpu import this_gpu
from serve.engines.choose import open_engine
from train.errors import UserError


def test_auto_takes_what_runs_and_says_why_it_is_no_better(bundle):
    choice = open_engine(load_bundle(bundle))
    assert (choice.engine.name, choice.engine.role, choice.engine.device) == ("onnxruntime", "onnx", "cpu")
    reasons = dict(line.split(":", 1) for line in choice.passed_over)
    assert list(reasons) == ["tensorrt", "onnxruntime-cuda, file 'onnx'", "openvino"]
    assert "python -m export.trt" in reasons["tensorrt"]
    assert "segdistill[serve,gpu]" in reasons["onnxruntime-cuda, file 'onnx'"]


def test_the_engine_asked_for_is_opened_with_its_threads(bundle):
    choice = open_engine(load_bundle(bundle), "onnxruntime", threads=2)
    assert (choice.engine.name, choice.engine.threads, choice.passed_over) == ("onnxruntime", 2, [])


@pytest.mark.parametrize("name", ["tensorrt", "onnxruntime-cuda", "openvino"])
def test_one_that_is_not_to_be_had_is_an_error_that_says_what_to_do(bundle, name):
    with pytest.raises(UserError, match=rf"^{name}.*(export\.|install )"):
        open_engine(load_bundle(bundle), name)


def test_batches_of_any_size_go_through(bundle):
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(open_engine(load_bundle(bundle)).engine.infer(images).ids, images.argmax(-1))


def test_a_real_plan_is_passed_over_where_it_cannot_run(network_bundle, tmp_path, cli):
    pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
    if this_gpu() is not None:
        pytest.skip("this machine has a GPU")
    root = Path(shutil.copytree(network_bundle.root, tmp_path / "bundle"))
    assert cli(trt.main, [str(root), "--flavour", "rtx"]).code == 0
    choice = open_engine(load_bundle(root))
    assert choice.engine.name == "openvino"
    plan, cuda = choice.passed_over
    assert plan.startswith("tensorrt, file 'rtx_portable_fp32': not verified: `python -m export.verify")
    assert cuda.startswith("onnxruntime-cuda")
    with pytest.raises(UserError, match=r"model\.rtx_portable_fp32\.plan: built for .* no NVIDIA GPU"):
        open_engine(load_bundle(root), "tensorrt")


def test_an_fp16_graph_is_cudas_first_choice_once_it_is_proven(network_bundle, tmp_path):
    root = Path(shutil.copytree(network_bundle.root, tmp_path / "bundle"))
    onnx_file = network_bundle.record("onnx")
    for verified, role in ((False, "onnx"), (True, "onnx_fp16")):
        fp16 = onnx_file.model_copy(update={"precision": "fp16", "verified": verified})
        files = {"onnx": onnx_file, "onnx_fp16": fp16}
        save_manifest(root, network_bundle.manifest.model_copy(update={"files": files}))
        with pytest.raises(UserError, match=rf"^onnxruntime-cuda, file '{role}': "):
            open_engine(load_bundle(root), "onnxruntime-cuda")


def test_a_host_of_tensorrt_needs_no_onnxruntime_and_one_of_onnxruntime_no_openvino():
    block = "import sys\nfor name in ('onnxruntime', 'onnx', 'openvino', 'torch'): sys.modules[name] = None\n"
    load = "import serve.run, serve.engines.tensorrt, serve.engines.openvino"
    subprocess.run([sys.executable, "-c", block + load], check=True, cwd=Path(__file__).parents[3])
