"""A file that was not compared with PyTorch is marked so, whichever command made it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from export.bundle import load_bundle
from tests.export.commands import export, openvino, quantize, verify
from tests.export.tensorrt.graphs import make_bundle

ROOT = Path(__file__).parents[2]
QUICK = ("--samples", "2", "--threads", "1")


def int8(bundle: Path, *options: str) -> None:
    """An INT8 file in seconds, calibrated on the bundle's own pictures."""
    counts = ("--images-count", "2", "--score-images", "2", "--layer-images", "1", "--max-drop", "100")
    quantize(bundle, "--calibration", str(bundle / "samples"), *counts, *QUICK, *options)


def test_an_export_that_is_not_verified(exported: Path) -> None:
    files = load_bundle(exported).manifest.files
    assert {role: (record.verified, record.accuracy) for role, record in files.items()} == {
        "onnx": (False, None),
        "onnx_fp16": (False, None),
    }


def test_int8_that_is_not_verified_and_then_is(bundle_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    int8(bundle_root, "--no-verify")
    record = load_bundle(bundle_root).record("onnx_int8")
    assert (record.verified, record.accuracy) == (False, None)
    printed = capsys.readouterr().out
    assert "model.int8.onnx: not verified: --no-verify" in printed
    assert "points of mIoU in the search (not verified)" in printed
    report = json.loads((bundle_root / "model.int8.json").read_text())
    assert report["accuracy"] is None
    assert "Not verified" in (bundle_root / "model.int8.md").read_text()
    int8(bundle_root, "--no-verify")
    assert "model.int8.onnx: nothing changed since it was made: reused\n" in capsys.readouterr().out
    verify(bundle_root, "--role", "onnx_int8")
    assert load_bundle(bundle_root).record("onnx_int8").verified


def test_openvino_that_is_not_verified(bundle_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openvino")
    openvino(bundle_root, *QUICK, "--no-verify")
    record = load_bundle(bundle_root).record("openvino")
    assert (record.verified, record.accuracy) == (False, None)
    assert record.latency
    assert "model.openvino.xml: not verified: --no-verify" in capsys.readouterr().out


def test_a_plan_is_built_without_torch(tmp_path: Path) -> None:
    pytest.importorskip("tensorrt_rtx")
    root = make_bundle(tmp_path / "bundle")
    code = "import runpy, sys; sys.modules['torch'] = None; runpy.run_module('export.trt', run_name='__main__')"
    command = [sys.executable, "-c", code, str(root), "--flavour", "rtx", "--no-verify"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not verified: " in done.stdout
    assert not load_bundle(root).record("rtx_portable_fp32").verified


def test_a_proof_that_stands_is_kept(bundle_root: Path, run: Path) -> None:
    bundle = bundle_root.rename(bundle_root.with_name("small"))
    verify(bundle, "--role", "onnx")
    export(run, bundle, "--logits", "--confidence", "--no-verify")
    assert load_bundle(bundle).record("onnx").verified
