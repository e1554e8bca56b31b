"""``python -m export.table RUN|BUNDLE``: student × precision × runtime, all measured in one run."""

import argparse
from pathlib import Path

import torch
from pydantic import BaseModel, Field

from export.bundle import MANIFEST, Bundle, BundleError, load_bundle, sha256
from export.latency import time_in_turn
from export.manifest import Accuracy, FileRecord, Latency
from export.pictures import choose_pictures
from export.preprocess import preprocess
from export.runner import NotHere, Runner, open_runner
from export.student import load_student
from export.timing_options import add_timing_options, check_timing
from export.torch_runner import TorchRunner
from train.command import command
from train.durable import atomic_path
from train.models.config import ModelConfig
from train.models.network import SegmentationNetwork
from train.run_directory import RunDirectory

_EAGER, _COMPILED = "pytorch", "pytorch compiled"


class Row(BaseModel):
    """One student in one precision on one runtime."""

    bundle: str
    student: str
    role: str
    precision: str
    runtime: str
    verified: bool
    agreement: float | None = Field(description="share of pixels with PyTorch's class, 0..1; null if never compared")
    miou: float | None = Field(description="0..1; null without labels")
    size_bytes: int
    latency: Latency | None = Field(description="null if never measured")
    measured_here: bool = Field(description="false: the latency is of another machine, or there is none: see note")
    note: str = ""


class ModelTable(BaseModel):
    """All rows, and the ratio that matters on a CPU."""

    rows: list[Row]
    onnx_to_eager: float | None = Field(description="p50 of the fp32 ONNX file over PyTorch eager's, same run")
    onnx_to_compiled: float | None = Field(description="p50 of the fp32 ONNX file over torch.compile's, same run")


def main() -> None:
    options = _options()
    check_timing(options)
    torch.set_num_threads(options.threads)
    tables = [
        _table(bundle, options.threads, options.samples, not options.no_compile)
        for bundle in _bundles(options.source, options.bundles)
    ]
    text = "\n\n".join(markdown(table) for table in tables)
    print(text)
    if options.markdown:
        with atomic_path(options.markdown) as path:
            path.write_text(text + "\n", encoding="utf-8")
    if options.json:
        with atomic_path(options.json) as path:
            path.write_text("[" + ",\n".join(t.model_dump_json(indent=2) for t in tables) + "]\n", encoding="utf-8")


def markdown(table: ModelTable) -> str:
    """The table as people read it; below it why a file was not measured, and what each latency is the time of."""
    reasons = list(dict.fromkeys(row.note for row in table.rows if not row.measured_here))
    header = ["student", "precision", "runtime", "agreement", "mIoU", "MB", "p50 ms", "p99 ms", ""]
    lines = _aligned([header, *(_cells(row, reasons) for row in table.rows)])
    scopes = {
        f"{row.latency.scope}; {row.latency.device}; {row.latency.threads} threads; {row.latency.samples} samples"
        for row in table.rows
        if row.latency
    }
    lines += ["", *(f"{number}. {reason}" for number, reason in enumerate(reasons, 1))]
    lines += ["", *(f"Latency: {scope}." for scope in sorted(scopes))]
    ratios = (("eager", table.onnx_to_eager), ("torch.compile", table.onnx_to_compiled))
    lines += [f"fp32 ONNX / {name}: {ratio:.2f}." for name, ratio in ratios if ratio is not None]
    return "\n".join(lines)


def _cells(row: Row, reasons: list[str]) -> list[str]:
    times = ("-", "-") if row.latency is None else (f"{row.latency.p50_ms:.1f}", f"{row.latency.p99_ms:.1f}")
    agreement = "-" if row.agreement is None else f"{row.agreement:.8f}"
    miou = "-" if row.miou is None else f"{row.miou:.4f}"
    here = row.note if row.measured_here else f"not measured here ({reasons.index(row.note) + 1})"
    notes = "; ".join(filter(None, ["" if row.verified else "not verified", here]))
    return [row.student, row.precision, row.runtime, agreement, miou, f"{row.size_bytes / 1e6:.2f}", *times, notes]


def _aligned(rows: list[list[str]]) -> list[str]:
    """Markdown whose columns stand below each other in a terminal too; the first row is the header."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |".rstrip() for row in rows
    ]
    return [lines[0], f"|{'|'.join('-' * (width + 2) for width in widths)}|", *lines[1:]]


def _table(bundle: Bundle, threads: int, samples: int, compiled: bool) -> ModelTable:
    trained = load_student(bundle)
    runners, notes = _runners(bundle, trained.network, threads, compiled)
    image = preprocess(choose_pictures(None, None, trained.config.data).read(0).image, bundle.manifest.input)
    latencies = time_in_turn(runners, image, bundle.manifest.input, threads, samples)
    rows = [_pytorch_row(bundle, name, latencies[name]) for name in (_EAGER, _COMPILED) if name in latencies]
    rows += [
        _row(bundle, role, record, latencies.get(role), notes.get(role, ""))
        for role, record in bundle.manifest.files.items()
    ]
    return ModelTable(rows=rows, onnx_to_eager=_ratio(latencies, _EAGER), onnx_to_compiled=_ratio(latencies, _COMPILED))


def _runners(
    bundle: Bundle, network: SegmentationNetwork, threads: int, compiled: bool
) -> tuple[dict[str, Runner], dict[str, str]]:
    runners: dict[str, Runner] = {_EAGER: TorchRunner(network, compiled=False)}
    if compiled:
        runners[_COMPILED] = TorchRunner(network, compiled=True)
    notes = {}
    for role, record in bundle.manifest.files.items():
        try:
            runners[role] = open_runner(bundle.file(role), record, bundle.manifest, threads)
        except NotHere as error:
            notes[role] = str(error)
    return runners, notes


def _ratio(latencies: dict[str, Latency], name: str) -> float | None:
    if name not in latencies or "onnx" not in latencies:
        return None
    return latencies["onnx"].p50_ms / latencies[name].p50_ms


def _pytorch_row(bundle: Bundle, name: str, latency: Latency) -> Row:
    student = bundle.manifest.student
    weights = RunDirectory(Path(student["run"])).checkpoint(student["checkpoint"]) / "model.safetensors"
    accuracy = _accuracy(bundle)
    return Row(
        bundle=bundle.manifest.name,
        student=_student(bundle),
        role=name,
        precision="fp32",
        runtime=latency.runtime,
        verified=True,
        agreement=1.0 if name == _EAGER else None,
        miou=accuracy.miou_pytorch if accuracy and name == _EAGER else None,
        size_bytes=weights.stat().st_size,
        latency=latency,
        measured_here=True,
        note="the reference" if name == _EAGER else "",
    )


def _row(bundle: Bundle, role: str, record: FileRecord, latency: Latency | None, note: str) -> Row:
    elsewhere = record.latency[-1] if record.latency and latency is None else None
    return Row(
        bundle=bundle.manifest.name,
        student=_student(bundle),
        role=role,
        precision=record.precision,
        runtime=latency.runtime if latency else record.runtime,
        verified=record.verified,
        agreement=record.accuracy.agreement if record.accuracy else None,
        miou=record.accuracy.miou_bundle if record.accuracy else None,
        size_bytes=record.size_bytes,
        latency=latency or elsewhere,
        measured_here=latency is not None,
        note=note,
    )


def _accuracy(bundle: Bundle) -> Accuracy | None:
    return next((record.accuracy for record in bundle.manifest.files.values() if record.accuracy), None)


def _student(bundle: Bundle) -> str:
    model = ModelConfig.model_validate(bundle.manifest.student["model"])
    return f"{bundle.manifest.name}: {model.title}"


def _bundles(source: Path, folder: Path) -> list[Bundle]:
    """The bundle itself, or those in ``folder`` that were exported from the run."""
    if (source / MANIFEST).is_file():
        return [load_bundle(source)]
    RunDirectory(source).config()  # says so if it is neither
    weights = {
        sha256(checkpoint / "model.safetensors")
        for checkpoint in (source / "checkpoints").iterdir()
        if checkpoint.is_dir()
    }
    found = [load_bundle(path.parent) for path in sorted(folder.glob(f"*/{MANIFEST}"))]
    bundles = [bundle for bundle in found if bundle.manifest.student.get("weights_sha256") in weights]
    if not bundles:
        raise BundleError(f"{source}: no bundle of this run in {folder}: export it, or give --bundles DIR")
    return bundles


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.table",
        description="Agreement, mIoU, size and latency of each file of a bundle, beside PyTorch, measured in one run.",
    )
    parser.add_argument("source", type=Path, metavar="RUN|BUNDLE", help="a bundle, or a run that bundles were made of")
    parser.add_argument(
        "--bundles", type=Path, default=Path("bundles"), help="where a run's bundles lie (default: bundles)"
    )
    add_timing_options(parser, samples=100)
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which takes a minute")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    return parser.parse_args()


if __name__ == "__main__":
    command(main)
