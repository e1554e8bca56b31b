"""Student × precision × runtime, in one run."""

import json
from pathlib import Path

import pytest

from export.bundle import BundleError, file_record, load_bundle, save_manifest
from tests.export.commands import table, verify
from train.errors import UserError

FEW = ("--threads", "1", "--samples", "3", "--no-compile")


def test_every_file_has_a_row_beside_pytorch(bundle_root: Path, tmp_path: Path) -> None:
    verify(bundle_root, "--role", "onnx")
    table(bundle_root, *FEW, "--json", str(tmp_path / "table.json"), "--markdown", str(tmp_path / "table.md"))
    (content,) = json.loads((tmp_path / "table.json").read_text())
    rows = {row["role"]: row for row in content["rows"]}
    assert list(rows) == ["pytorch", "onnx", "onnx_fp16"]
    assert [row["verified"] for row in rows.values()] == [True, True, False]
    assert rows["onnx"]["agreement"] == 1.0
    assert rows["onnx"]["miou"] == rows["pytorch"]["miou"]
    assert rows["onnx_fp16"]["size_bytes"] < rows["onnx"]["size_bytes"]
    assert all(0 < row["latency"]["p50_ms"] <= row["latency"]["p99_ms"] for row in rows.values())
    ratio = rows["onnx"]["latency"]["p50_ms"] / rows["pytorch"]["latency"]["p50_ms"]
    assert content["onnx_to_eager"] == pytest.approx(ratio)
    text = (tmp_path / "table.md").read_text()
    assert text.count("\n| small: deeplabv3plus on mobilenetv4_conv_small_035 |") == 3
    assert "batch 1, 64x96" in text
    assert len({len(line) for line in text.splitlines() if line.startswith("|")}) == 1
    assert "not verified" in text


def test_a_file_that_cannot_run_here_has_its_reason_below(bundle_root: Path, tmp_path: Path) -> None:
    (bundle_root / "model.plan").write_bytes(b"a plan")
    plan = file_record(bundle_root / "model.plan", precision="fp16", runtime="tensorrt")
    manifest = load_bundle(bundle_root).manifest
    files = {"onnx": manifest.files["onnx"], "trt_87_fp16": plan}
    save_manifest(bundle_root, manifest.model_copy(update={"files": files}))
    table(bundle_root, *FEW, "--markdown", str(tmp_path / "table.md"))
    text = (tmp_path / "table.md").read_text()
    assert "| not verified; not measured here (1) |" in text
    assert f"\n1. {bundle_root / 'model.plan'}: " in text


def test_a_run_stands_for_the_bundles_made_of_it(exported: Path, run: Path, tmp_path: Path) -> None:
    table(run, *FEW, "--bundles", str(exported.parent), "--json", str(tmp_path / "table.json"))
    assert len(json.loads((tmp_path / "table.json").read_text())) == 1
    with pytest.raises(BundleError, match="no bundle of this run in"):
        table(run, *FEW, "--bundles", str(tmp_path))


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--samples", "0"), "--samples 0: must be at least 1"), (("--threads", "-1"), "--threads -1: must be")],
)
def test_a_mistake_is_one_line(bundle_root: Path, options: tuple[str, ...], message: str) -> None:
    with pytest.raises(UserError, match=message):
        table(bundle_root, *options)


def test_neither_run_nor_bundle(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a run"):
        table(tmp_path)
