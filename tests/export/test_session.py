"""A graph that ONNX Runtime cannot load is one clear line."""

from pathlib import Path

import onnx
import pytest

from export.bundle import BundleError
from export.session import open_session


@pytest.mark.parametrize(
    ("opset", "ir_version", "found"),
    [(99, 8, r"Opset 99"), (18, 99, r"IR version: 99, max supported IR version: \d+")],
)
def test_a_newer_onnx_than_the_runtime_reads(
    exported: Path, tmp_path: Path, opset: int, ir_version: int, found: str
) -> None:
    model = onnx.load(exported / "model.onnx")
    model.opset_import[0].version, model.ir_version = opset, ir_version
    path = tmp_path / "model.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BundleError, match=rf"model\.onnx: of a newer ONNX \({found}\) than ONNX Runtime") as error:
        open_session(path, 1, ["CPUExecutionProvider"])
    assert "\n" not in str(error.value)


def test_half_a_file(exported: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes((exported / "model.onnx").read_bytes()[:5000])
    with pytest.raises(BundleError, match=r"model\.onnx: ONNX Runtime cannot load it") as error:
        open_session(path, 1, ["CPUExecutionProvider"])
    assert "\n" not in str(error.value)
