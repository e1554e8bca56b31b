"""A run becomes a bundle that anybody can run."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from export.bundle import BundleError, load_bundle
from export.graph import DeployedNetwork
from export.head import logits_tensor
from export.lock import locked
from tests.export.commands import export
from tests.export.conftest import SIZE
from train.checkpoint import load_run
from train.errors import UserError


def session(root: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(root / "model.onnx", providers=["CPUExecutionProvider"])


def test_an_export_is_verified_and_says_what_it_is(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "small")
    manifest = load_bundle(tmp_path / "small").manifest
    assert manifest.verified
    accuracy = manifest.files["onnx"].accuracy
    assert accuracy is not None
    assert accuracy.agreement == 1.0
    assert accuracy.images == 4
    assert accuracy.miou_bundle == accuracy.miou_pytorch
    assert (manifest.input.height, manifest.input.width) == SIZE
    assert manifest.classes == load_run(run).config.data.classes
    assert manifest.student["parameters"] > 0
    assert manifest.method == [load_run(run).config.losses[0].model_dump(mode="json")]
    assert len(list((tmp_path / "small" / "samples").iterdir())) == 4


def test_the_graph_takes_and_gives_uint8(exported: Path) -> None:
    image, mask = session(exported).get_inputs()[0], session(exported).get_outputs()[0]
    assert (image.name, image.type, image.shape[3]) == ("image", "tensor(uint8)", 3)
    assert (mask.name, mask.type) == ("mask", "tensor(uint8)")


@pytest.mark.parametrize(("batch", "height", "width"), [(1, *SIZE), (3, 32, 64), (2, 128, 160)])
def test_any_batch_and_size_gives_what_pytorch_gives(
    exported: Path, run: Path, batch: int, height: int, width: int
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (batch, height, width, 3), np.uint8)
    mask, logits = session(exported).run(["mask", "logits"], {"image": images})
    with torch.inference_mode():
        expected = DeployedNetwork(load_run(run).network).eval()(torch.from_numpy(images))
    np.testing.assert_array_equal(mask, expected[0].numpy())
    np.testing.assert_allclose(logits, expected[2].numpy(), atol=1e-4)


def test_one_upsampling_follows_the_classifier(exported: Path, run: Path) -> None:
    model = onnx.load(exported / "model.onnx")
    resizes = [node for node in model.graph.node if node.op_type == "Resize"]
    assert len(resizes) == _upsamplings(run) + 1
    assert [node.input[0] for node in resizes].count(logits_tensor(model, exported)) == 1


def test_nothing_of_the_training_is_left(exported: Path, run: Path) -> None:
    model = onnx.load(exported / "model.onnx")
    operations = {node.op_type for node in model.graph.node}
    assert "BatchNormalization" not in operations
    assert "Dropout" not in operations
    weights = sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer)
    assert weights <= sum(parameter.numel() for parameter in load_run(run).network.parameters())


def test_fixed_shapes_and_no_logits_by_flag(run: Path, tmp_path: Path) -> None:
    export(run, tmp_path / "fixed", "--shapes", "fixed", "--no-verify", "--size", "32", "64")
    fixed = session(tmp_path / "fixed")
    assert fixed.get_inputs()[0].shape == [1, 32, 64, 3]
    assert [output.name for output in fixed.get_outputs()] == ["mask"]
    manifest = load_bundle(tmp_path / "fixed").manifest
    assert not manifest.verified
    assert not manifest.input.dynamic_size


def test_the_confidence_is_the_softmax_of_the_class_given(exported: Path, run: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (1, *SIZE, 3), np.uint8)
    mask, confidence = session(exported).run(["mask", "confidence"], {"image": images})
    with torch.inference_mode():
        logits = load_run(run).network(torch.from_numpy(images).permute(0, 3, 1, 2)).logits
        shares = torch.nn.functional.interpolate(logits, SIZE, mode="bilinear").softmax(dim=1)
    of_class = np.take_along_axis(shares.numpy(), mask[:, None].astype(np.int64), 1)[:, 0]
    assert confidence.dtype == np.uint8
    assert np.abs(255 * of_class - confidence).max() <= 0.5 + 1e-2


def test_again_with_nothing_changed_keeps_files_and_proof(
    bundle_root: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--logits", "--confidence", "--precision", "fp16")
    bundle = bundle_root.rename(bundle_root.with_name("small"))
    before = {path.name: path.stat().st_mtime_ns for path in bundle.glob("*.onnx")}
    export(run, bundle, *options)
    export(run, bundle, *options)
    assert {path.name: path.stat().st_mtime_ns for path in bundle.glob("*.onnx")} == before
    printed = capsys.readouterr().out
    for name in before:
        assert f"{name}: nothing changed since it was made: reused\n" in printed
        assert f"{name}: nothing changed since it was made: reused, and its proof\n" in printed
    assert all(record.verified for record in load_bundle(bundle).manifest.files.values())


def test_a_harmed_bundle_is_made_anew_and_says_why(
    bundle_root: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.truncate(bundle_root / "model.onnx", 1000)
    with pytest.raises(BundleError, match="not what the manifest's sha256"):
        load_bundle(bundle_root)
    export(run, bundle_root, "--no-verify", "--shapes", "fixed")
    assert list(load_bundle(bundle_root).manifest.files) == ["onnx"]
    assert "model.onnx: its content is not what the manifest's sha256 says" in capsys.readouterr().out


def test_two_exports_at_once_are_refused(run: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "bundle", "export"), pytest.raises(UserError, match=r"bundle: another program is writing"):
        export(run, tmp_path / "bundle", "--no-verify")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_full_disk_leaves_no_half_bundle(run: Path, tmp_path: Path) -> None:
    code = (
        "import resource, runpy, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "runpy.run_module('export.onnx', run_name='__main__', alter_sys=True)"
    )
    command = [sys.executable, "-c", code, str(run), "--out", str(tmp_path / "bundle"), "--shapes", "fixed"]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    message = done.stderr.strip().splitlines()[-1]
    assert message == f"error: {tmp_path / 'bundle'}: cannot be written (File too large): make room and do it again"
    assert list(tmp_path.iterdir()) == []


def test_a_size_off_the_stride_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--size 50 96: both must be multiples of 16"):
        export(run, tmp_path / "bundle", "--size", "50", "96")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_no_bundle_is_left_alone(run: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    with pytest.raises(UserError, match="is no bundle"):
        export(run, tmp_path)
    assert (tmp_path / "precious.txt").read_text() == "mine"


def _upsamplings(run: Path) -> int:
    """How often the PyTorch network itself resizes a map."""

    class Counter(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            self.count += "upsample" in str(function)
            return function(*args, **(kwargs or {}))

    network = load_run(run).network
    with torch.inference_mode(), Counter() as counter:
        network(torch.zeros(1, 3, *SIZE))
    return counter.count
