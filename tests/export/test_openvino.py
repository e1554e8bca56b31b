"""OpenVINO IR in a bundle says what PyTorch says, or is not entered."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openvino")

from export.bundle import BundleError, load_bundle
from export.lock import locked
from export.runner import open_runner
from tests.export.commands import openvino, verify
from train.errors import UserError

_QUICK = ("--samples", "2", "--threads", "1")


@pytest.fixture(scope="module")
def added(exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with IR of its fp32 graph. Read only."""
    root = Path(shutil.copytree(exported, tmp_path_factory.mktemp("openvino") / "bundle"))
    openvino(root, *_QUICK)
    return root


def test_both_files_are_entered_with_their_proof(added: Path, exported: Path) -> None:
    bundle = load_bundle(added)
    record = bundle.record("openvino")
    assert (record.path, list(record.parts)) == ("model.openvino.xml", ["model.openvino.bin"])
    assert (record.precision, record.runtime) == ("fp32", "openvino")
    assert record.verified
    assert record.accuracy is not None
    assert record.accuracy.agreement >= 0.999
    assert record.accuracy.runtime.startswith("openvino ")
    assert [latency.runtime for latency in record.latency] == [record.accuracy.runtime]
    assert bundle.record("onnx") == load_bundle(exported).record("onnx")


def test_it_runs_every_shape_that_the_graph_takes(added: Path) -> None:
    bundle = load_bundle(added)
    runners = [open_runner(bundle.file(role), bundle.record(role), bundle.manifest, 1) for role in ("openvino", "onnx")]
    for shape in ((1, 64, 96, 3), (3, 64, 96, 3), (1, 96, 128, 3)):
        image = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
        ours, expected = (runner.run(image) for runner in runners)
        assert ours.keys() == expected.keys()
        assert (ours["mask"] == expected["mask"]).mean() > 0.999
        np.testing.assert_allclose(ours["logits"], expected["logits"], atol=1e-3)


def test_verify_knows_it(added: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(added, tmp_path / "bundle"))
    verify(root, "--role", "openvino")
    assert load_bundle(root).record("openvino").verified


def test_weights_that_were_changed_are_noticed(added: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(added, tmp_path / "bundle"))
    with (root / "model.openvino.bin").open("r+b") as file:
        file.write(b"\1")
    with pytest.raises(BundleError, match=r"model\.openvino\.bin: its content is not what"):
        load_bundle(root)


def test_a_graph_that_the_bundle_has_not(bundle_root: Path) -> None:
    with pytest.raises(BundleError, match="no 'onnx_int8' file"):
        openvino(bundle_root, *_QUICK, "--role", "onnx_int8")
    assert "openvino" not in load_bundle(bundle_root).manifest.files


@pytest.mark.parametrize(("option", "value"), [("--samples", "0"), ("--threads", "0")])
def test_a_number_that_is_too_small(option: str, value: str, bundle_root: Path) -> None:
    with pytest.raises(UserError, match=f"{option} 0: must be at least 1"):
        openvino(bundle_root, *_QUICK, option, value)


def test_two_at_once(bundle_root: Path) -> None:
    with locked(bundle_root, "openvino"), pytest.raises(UserError, match="another program is writing its openvino"):
        openvino(bundle_root, *_QUICK)
    assert not list(bundle_root.glob("*openvino*"))
