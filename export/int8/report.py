"""What quantising came to: as JSON for programs, as Markdown for people, and in a sentence."""

import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from export.int8.job import Job
from export.int8.layers import Layer
from export.int8.score import Loss
from export.int8.selection import Selection
from export.int8.sensitivity import Sensitivity
from export.manifest import DEFAULT_ROLE, Accuracy, FileRecord, Latency
from train.durable import atomic_path

_SAME_SPEED = 0.05
_NAMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}


class LayerReport(BaseModel):
    """One layer: the nodes that read the same tensor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layer: str
    kind: str
    loss: Loss = Field(description="with this layer alone in INT8")
    precision: str = Field(description="int8 or fp32, in the file that was written")

    @classmethod
    def of(cls, measured: Sensitivity, kept_float: list[Layer]) -> "LayerReport":
        """From its measurement and the outcome of the search."""
        layer = measured.layer
        precision = "fp32" if layer in kept_float else "int8"
        return cls(layer=layer.title, kind=layer.kind, loss=measured.loss, precision=precision)


class Timing(BaseModel):
    """One file in one runtime."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    precision: str
    runtime: str = Field(description="onnxruntime or openvino")
    latency: Latency


class Report(BaseModel):
    """All that was measured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bundle: str
    calibration: str
    max_drop: float = Field(description="points of mIoU; of agreement where there are no labels")
    scored: int = Field(description="pictures that the search was scored on")
    layer_scored: int = Field(description="of these, pictures that each layer was scored on")
    all_int8: Loss = Field(description="with every layer in INT8")
    loss: Loss = Field(description="of the file, against the fp32 graph, on the pictures of the search")
    accuracy: Accuracy | None = Field(description="of the file, against the PyTorch student; null: not verified")
    bytes_fp32: int
    bytes_int8: int
    timings: list[Timing] = Field(description="measured in turn in one process; fp32 in ONNX Runtime first")
    layers: list[LayerReport] = Field(description="the most sensitive first")

    @classmethod
    def of(cls, job: Job, selection: Selection, record: FileRecord, timings: list[Timing]) -> "Report":
        """From what the steps gave; ``record`` is of the INT8 file."""
        settings, kept = job.settings, selection.kept_float
        after = f", after {settings.finetune} steps of fine-tuning" if settings.finetune else ""
        by = f"seed {job.seed}, by {settings.method}{after}"
        return cls(
            bundle=job.bundle.manifest.name,
            calibration=f"{len(job.images)} images of {job.calibration}, {by}",
            max_drop=settings.max_drop,
            scored=selection.scored,
            layer_scored=min(selection.scored, settings.layer_images),
            all_int8=selection.all_int8,
            loss=selection.loss,
            accuracy=record.accuracy,
            bytes_fp32=job.bundle.record(DEFAULT_ROLE).size_bytes,
            bytes_int8=record.size_bytes,
            timings=timings,
            layers=[LayerReport.of(measured, kept) for measured in selection.sensitivities],
        )

    @property
    def verdict(self) -> list[str]:
        """A sentence for each runtime."""
        return [self._sentence(timing) for timing in self.timings if timing.precision == "int8"]

    def speed(self, timing: Timing) -> float:
        """How many times as fast as the fp32 graph in ONNX Runtime, at the median."""
        return self.timings[0].latency.p50_ms / timing.latency.p50_ms

    def _sentence(self, timing: Timing) -> str:
        speed, where = self.speed(timing), _NAMES[timing.runtime]
        if speed < 1 - _SAME_SPEED:
            return f"INT8 is slower here in {where} ({speed:.2f}x), and costs {self._cost()}"
        if speed < 1 + _SAME_SPEED:
            return f"INT8 is as fast as fp32 here in {where} ({speed:.2f}x), and costs {self._cost()}"
        return f"INT8 costs {self._cost()} and is {speed:.1f}x faster in {where}"

    def _cost(self) -> str:
        if self.accuracy is None:
            return f"{self.loss} in the search (not verified)"
        before, after = self.accuracy.miou_pytorch, self.accuracy.miou_bundle
        if before is None or after is None:
            return f"{100 * (1 - self.accuracy.agreement):.1f} % of the pixels"
        lost = 100 * (before - after)
        return "no mIoU" if lost < 0.05 else f"{lost:.1f} mIoU"


def write_report(report: Report, graph: Path) -> None:
    """``model.int8.json`` and ``model.int8.md`` beside the graph."""
    content = {"verdict": report.verdict, **report.model_dump(mode="json")}
    with atomic_path(graph.with_suffix(".json")) as path:
        path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    with atomic_path(graph.with_suffix(".md")) as path:
        path.write_text("\n".join(markdown(report)) + "\n", encoding="utf-8")


def markdown(report: Report) -> Iterator[str]:
    """Line by line."""
    yield f"# INT8 of {report.bundle}"
    yield ""
    yield from (f"- {sentence}" for sentence in report.verdict)
    yield ""
    yield _proof(report.accuracy)
    yield f"The file has {report.bytes_int8 / 1e6:.2f} MB, the fp32 graph {report.bytes_fp32 / 1e6:.2f} MB."
    yield f"Calibrated on {report.calibration}."
    yield ""
    yield from _timings(report)
    yield ""
    yield from _layers(report)


def _proof(accuracy: Accuracy | None) -> str:
    if accuracy is None:
        return "Not verified: `python -m export.verify` compares it with PyTorch."
    text = (
        f"Verified on {accuracy.images} pictures of {accuracy.dataset}, {accuracy.split}: {accuracy.agreement:.4f} of "
    )
    text += "the pixels have the class that PyTorch gives them"
    if accuracy.miou_pytorch is None or accuracy.miou_bundle is None:
        return f"{text}."
    return f"{text}, mIoU {accuracy.miou_pytorch:.4f} became {accuracy.miou_bundle:.4f}."


def _timings(report: Report) -> Iterator[str]:
    first = report.timings[0].latency
    yield f"{first.scope}; threads: {first.threads}, samples: {first.samples}, on {first.device}:"
    yield ""
    yield "| precision | runtime | p50 ms | p90 ms | p99 ms | speed |"
    yield "|---|---|---|---|---|---|"
    for timing in report.timings:
        latency = timing.latency
        times = f"{latency.p50_ms:.2f} | {latency.p90_ms:.2f} | {latency.p99_ms:.2f}"
        yield f"| {timing.precision} | {latency.runtime} | {times} | {report.speed(timing):.2f}x |"


def _layers(report: Report) -> Iterator[str]:
    kept = [layer.layer for layer in report.layers if layer.precision != "int8"]
    yield f"With all {len(report.layers)} layers in INT8, {report.scored} pictures lose {report.all_int8}, allowed are "
    yield f"{report.max_drop:g}; left in fp32: {', '.join(kept) or 'none'}."
    yield ""
    yield f"What each layer loses alone in INT8, in points, on {report.layer_scored} pictures:"
    yield ""
    yield "| layer | kind | agreement | mIoU | in the file |"
    yield "|---|---|---|---|---|"
    for row in report.layers:
        miou = "no labels" if row.loss.miou is None else f"{row.loss.miou:.3f}"
        yield f"| {row.layer} | {row.kind} | {row.loss.agreement:.3f} | {miou} | {row.precision} |"
