"""``python -m export.quantize BUNDLE --calibration DIR``: an INT8 graph in the bundle, measured and verified."""

import argparse
import contextlib
from pathlib import Path

import onnx
import torch
from rich.console import Console
from rich.markdown import Markdown

from export.bundle import Bundle, BundleError, add_file, file_record, load_bundle, new_file
from export.graph import make_graph
from export.int8.finetune import finetune
from export.int8.images import choose_images
from export.int8.job import Job
from export.int8.layers import find_layers
from export.int8.options import int8_settings, parse_options
from export.int8.ranges import measure_ranges
from export.int8.report import Report, Timing, markdown, write_report
from export.int8.score import Scorer
from export.int8.selection import Selection, select
from export.int8.settings import INT8_ROLE
from export.latency import time_in_turn
from export.lock import locked
from export.manifest import DEFAULT_ROLE, FileRecord
from export.metadata import describe
from export.openvino_runner import OpenVinoRunner
from export.pictures import choose_pictures
from export.preprocess import preprocess
from export.prover import Prover
from export.readme import write_readme
from export.runner import NotHere, OnnxRuntimeRunner, Runner
from export.student import load_student
from export.versions import versions
from train.command import command
from train.run_directory import RunDirectory

_FILE = "model.int8.onnx"


def main() -> None:
    options = parse_options()
    job = _job(options)
    with locked(job.bundle.root, INT8_ROLE, wait_s=0):
        if job.unchanged:
            job.prover.reuse(job.bundle, INT8_ROLE)
            return
        report = _quantise(job)
    Console().print(Markdown("\n".join(markdown(report))))
    print(f"{job.bundle.root / _FILE}: {'; '.join(report.verdict)}")


def _job(options: argparse.Namespace) -> Job:
    settings = int8_settings(options)
    torch.set_num_threads(options.threads)
    bundle = load_bundle(options.bundle)
    trained, student = load_student(bundle, options.run), bundle.manifest.student
    pictures = choose_pictures(options.images, options.masks, trained.config.data)
    pictures.read(0)  # a label that is missing is said now, not after minutes of calibration
    return Job(
        bundle=bundle,
        checkpoint=RunDirectory(options.run or Path(student["run"])).checkpoint(student["checkpoint"]),
        images=choose_images(options.calibration, options.images_count, options.seed),
        pictures=pictures,
        prover=Prover.of(options, trained, bundle.root),
        settings=settings,
        seed=options.seed,
        calibration=options.calibration,
        samples=options.samples,
        threads=options.threads,
    )


def _quantise(job: Job) -> Report:
    bundle, manifest = job.bundle, job.bundle.manifest
    with new_file(bundle.root / _FILE) as path:
        selection = _select(job, path)
        describe(selection.model, manifest, versions())
        onnx.save(selection.model, path)
        record = file_record(
            path,
            precision="int8",
            source_sha256=bundle.record(DEFAULT_ROLE).sha256,
            options={**job.made_with, "kept_float": [layer.title for layer in selection.kept_float]},
            versions=versions(),
        )
        record = job.prover.prove(manifest, INT8_ROLE, path, record)
        _check_drop(record, job.settings.max_drop, selection.scored)
        timings = _time(job, path, record)
        record = record.model_copy(update={"latency": [each.latency for each in timings if each.precision == "int8"]})
        entered = add_file(bundle.root, INT8_ROLE, path, record)
    write_readme(Bundle(bundle.root, entered))
    report = Report.of(job, selection, record, timings)
    write_report(report, bundle.root / _FILE)
    return report


def _select(job: Job, path: Path) -> Selection:
    """The INT8 graph; ``path`` is for the fp32 graph that it is made from."""
    graph, settings, manifest = job.bundle.file(DEFAULT_ROLE), job.settings, job.bundle.manifest
    reference = onnx.load(graph)
    layers, model = find_layers(reference, graph), reference
    if settings.finetune:
        network = finetune(job.prover.trained, job.checkpoint, manifest.input, job.images, settings.finetune)
        model = make_graph(network, manifest.input, manifest.output)
        layers = find_layers(model, graph)
    onnx.save(model, path)
    ranges = measure_ranges(path, layers, manifest.input, job.images, settings.method, settings.percentile)
    scorer = Scorer.of(reference, manifest, job.pictures, settings.score_images, job.threads)
    if settings.finetune:
        print(f"fine-tuned, in fp32: {len(scorer)} pictures lose {scorer.loss(model)}", flush=True)
    return select(model, layers, ranges, scorer, settings)


def _check_drop(record: FileRecord, max_drop: float, scored: int) -> None:
    """On all pictures: the search has seen some of them, and the fp32 graph in place of PyTorch."""
    accuracy = record.accuracy
    if accuracy is None:
        return
    lost = 100 * (1 - accuracy.agreement)
    if accuracy.miou_pytorch is not None and accuracy.miou_bundle is not None:
        lost = 100 * (accuracy.miou_pytorch - accuracy.miou_bundle)
    if lost > max_drop:
        raise BundleError(
            f"{record.path}: loses {lost:.2f} points on all {accuracy.images} pictures, --max-drop is {max_drop:g} and "
            f"held on the {scored} that the search saw: raise --score-images; nothing was written"
        )


def _time(job: Job, path: Path, record: FileRecord) -> list[Timing]:
    """Both graphs in ONNX Runtime, and in OpenVINO where it is installed."""
    manifest, source = job.bundle.manifest, job.bundle.record(DEFAULT_ROLE)
    files = {"fp32": (job.bundle.file(DEFAULT_ROLE), source), "int8": (path, record)}
    runners: dict[tuple[str, str], Runner] = {}
    for precision, (file, entry) in files.items():
        runners[precision, "onnxruntime"] = OnnxRuntimeRunner(file, entry, manifest, job.threads)
    for precision, (file, _) in files.items():
        with contextlib.suppress(NotHere):
            runners[precision, "openvino"] = OpenVinoRunner(file, manifest, job.threads)
    image = preprocess(job.pictures.read(0).image, manifest.input)
    measured = time_in_turn(runners, image, manifest.input, job.threads, job.samples)
    return [Timing(precision=key[0], runtime=key[1], latency=latency) for key, latency in measured.items()]


if __name__ == "__main__":
    command(main)
