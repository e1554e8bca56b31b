"""A verdict in plain words, and a report that says all that was measured."""

import json
from pathlib import Path

import pytest

from export.int8.report import LayerReport, Report, Timing, write_report
from export.int8.score import Loss
from export.manifest import Accuracy, Latency


def timing(precision: str, runtime: str, p50: float) -> Timing:
    latency = Latency(
        scope="inference",
        device="cpu: none",
        runtime=f"{runtime} 1.0",
        threads=1,
        samples=9,
        p50_ms=p50,
        p90_ms=p50,
        p99_ms=p50,
    )
    return Timing(precision=precision, runtime=runtime, latency=latency)


def report(
    p50: float, before: float | None = 0.65, after: float | None = 0.647, runtime: str = "onnxruntime"
) -> Report:
    accuracy = Accuracy(
        dataset="streets", split="val", images=3, agreement=0.985, miou_pytorch=before, miou_bundle=after
    )
    loss = Loss(agreement=0.7, miou=0.1)
    return Report(
        bundle="streets",
        calibration="8 images",
        max_drop=0.5,
        scored=3,
        layer_scored=2,
        all_int8=loss,
        loss=loss,
        accuracy=accuracy,
        bytes_fp32=4_000_000,
        bytes_int8=1_000_000,
        timings=[timing("fp32", "onnxruntime", 10.0), timing("int8", runtime, p50)],
        layers=[LayerReport(layer="stem", kind="3x3", loss=loss, precision="fp32")],
    )


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (report(14.1), "INT8 is slower here in ONNX Runtime (0.71x), and costs 0.3 mIoU"),
        (report(6.25, runtime="openvino"), "INT8 costs 0.3 mIoU and is 1.6x faster in OpenVINO"),
        (report(9.9), "INT8 is as fast as fp32 here in ONNX Runtime (1.01x), and costs 0.3 mIoU"),
        (report(6.25, 0.65, 0.66), "INT8 costs no mIoU and is 1.6x faster in ONNX Runtime"),
        (report(6.25, None, None), "INT8 costs 1.5 % of the pixels and is 1.6x faster in ONNX Runtime"),
    ],
)
def test_the_verdict(made: Report, sentence: str) -> None:
    assert made.verdict == [sentence]


def test_both_files_hold_what_was_measured(tmp_path: Path) -> None:
    made = report(14.1)
    write_report(made, tmp_path / "model.int8.onnx")
    content = json.loads((tmp_path / "model.int8.json").read_text())
    assert content.pop("verdict") == made.verdict
    assert Report.model_validate(content) == made
    text = (tmp_path / "model.int8.md").read_text()
    assert f"- {made.verdict[0]}" in text
    assert "| int8 | onnxruntime 1.0 | 14.10 | 14.10 | 14.10 | 0.71x |" in text
    assert "| stem | 3x3 | 0.700 | 0.100 | fp32 |" in text
    assert "left in fp32: stem" in text
