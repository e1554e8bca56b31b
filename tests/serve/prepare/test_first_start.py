"""The first start on a device and the next ones. Driver and TensorRT are stand-ins, the server and all else is real."""

from pathlib import Path

import httpx
import numpy as np

from export.bundle import load_bundle
from serve.prepare.__main__ import FALLBACK
from tests.serve.prepare.conftest import make_proven
from tests.serve.tiny_bundles import constant


def answered(url: str, body: bytes) -> bytes:
    """Class ids, row by row."""
    with httpx.Client(base_url=url, transport=httpx.HTTPTransport(retries=10), timeout=30) as client:
        while client.get("/readyz").status_code != 200:
            pass
        answer = client.post("/segment", content=body, headers={"Accept": "application/octet-stream"})
    assert answer.status_code == 200, answer.text
    return answer.content


def brightest(image: np.ndarray) -> bytes:
    return image.argmax(-1).astype(np.uint8).tobytes()


def test_the_plan_is_built_once_proven_and_served(proven, device, start, tmp_path, encode, image) -> None:
    out = tmp_path / "engines/bundle"
    first = start(proven, out, environment=device)
    assert "trt_87_fp32: agrees with the fp32 graph on 1.00000 of the pixels of 1 samples" in first.said
    assert first.lines[-1].startswith("serving bundle (fp32 on Stand-in, 1 threads, tensorrt 10.3.0")
    assert answered(first.url, encode(image)) == brightest(image)
    assert first.end()[0] == 0
    record = load_bundle(out).record("trt_87_fp32")
    assert record.verified
    assert record.accuracy is not None
    assert (record.accuracy.reference, record.accuracy.agreement) == ("fp32 graph", 1.0)
    assert (tmp_path / "engines/bundle.timing-cache").is_file()
    assert "trt_87_fp32" not in load_bundle(proven).manifest.files, "the bundle itself is only read"

    again = start(proven, out, environment=device)
    assert "nothing changed since it was made: reused" in again.said
    assert "trt_87_fp32: proven before" in again.said
    assert load_bundle(out).record("trt_87_fp32").sha256 == record.sha256


def test_another_tensorrt_or_another_graph_makes_another_plan(proven, device, start, tmp_path, encode, image) -> None:
    out = tmp_path / "engines/bundle"
    start(proven, out, "--no-server", environment=device).end()
    start(proven, out, "--no-server", environment={**device, "STAND_IN_VERSION": "10.4.0"}).end()
    record = load_bundle(out).record("trt_87_fp32")
    assert record.built_for is not None
    assert (record.built_for.tensorrt, record.verified) == ("10.4.0", True)

    upgraded = start(make_proven(tmp_path / "next", constant(2)), out, environment=device)
    assert "agrees with the fp32 graph on 1.00000" in upgraded.said
    assert set(answered(upgraded.url, encode(image))) == {2}


def test_a_copy_that_was_cut_off_is_made_anew(proven, device, start, tmp_path) -> None:
    out = tmp_path / "engines/bundle"
    start(proven, out, "--no-server", environment=device).end()
    (out / "model.onnx").write_bytes((out / "model.onnx").read_bytes()[:-10])
    repaired = start(proven, out, "--no-server", environment=device)
    assert f"{out}/model.onnx: its content is not what the manifest's sha256 says" in repaired.said
    assert repaired.end()[0] == 0
    assert load_bundle(out).record("trt_87_fp32").verified


def test_without_tensorrt_nothing_is_served_unless_that_is_allowed(proven, start, tmp_path, encode, image) -> None:
    out = tmp_path / "engines/bundle"
    refused = start(proven, out)
    code, errors = refused.end()
    assert code == 2
    assert errors.startswith("error: no TensorRT plan for this device: tensorrt is not installed here")
    assert errors.rstrip().endswith(f"pip install 'segdistill[trt]'; to serve without one set {FALLBACK}=1")
    assert "serving" not in refused.said

    allowed = start(proven, out, environment={FALLBACK: "1"})
    assert answered(allowed.url, encode(image)) == brightest(image)
    code, errors = allowed.end()
    assert code == 0
    assert f"warning: {FALLBACK}=1: serving WITHOUT a TensorRT plan" in errors


def test_without_a_gpu_the_container_is_to_get_one(proven, start, tmp_path) -> None:
    (tmp_path / "tensorrt.py").touch()  # TensorRT is there
    code, errors = start(proven, tmp_path / "engines/bundle", environment={"PYTHONPATH": str(tmp_path)}).end()
    assert code == 2
    assert "no TensorRT plan for this device: no NVIDIA GPU here: give the container one, by --gpus all" in errors
    assert "--flavour" not in errors


def test_a_graph_that_is_not_proven_proves_no_plan(bundle: Path, device, start, tmp_path) -> None:
    code, errors = start(bundle, tmp_path / "engines/bundle", environment=device).end()
    assert code == 2
    assert "its fp32 graph is not proven itself" in errors
