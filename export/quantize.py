"""``python -m export.quantize BUNDLE --calibration DIR``: an INT8 graph in the bundle, measured and verified."""

import argparse
import contextlib
from pathlib import Path

import onnx
import torch
from pydantic import ValidationError
from rich.console import Console
from rich.markdown import Markdown

from export.bundle import Bundle, BundleError, add_file, file_record, load_bundle, new_file
from export.graph import make_graph
from export.int8.finetune import finetune
from export.int8.images import choose_images
from export.int8.job import Job
from export.int8.layers import find_layers
from export.int8.ranges import METHODS, measure_ranges
from export.int8.report import Report, Timing, markdown, write_report
from export.int8.score import Scorer
from export.int8.selection import Selection, select
from export.int8.settings import INT8_ROLE, Settings
from export.latency import time_in_turn
from export.lock import locked
from export.manifest import DEFAULT_ROLE, FileRecord
from export.metadata import describe
from export.openvino_runner import OpenVinoRunner
from export.pictures import choose_pictures
from export.preprocess import preprocess
from export.proof import prove_file
from export.readme import write_readme
from export.runner import NotHere, OnnxRuntimeRunner, Runner
from export.student import load_student
from export.versions import versions
from train.command import command
from train.errors import UserError
from train.run_directory import RunDirectory

_FILE = "model.int8.onnx"


def main() -> None:
    options = _options()
    job = _job(options)
    with locked(job.bundle.root, INT8_ROLE, wait_s=0):
        if job.unchanged:
            print(f"{_FILE}: same graph, images, options and versions: reused, and its proof")
            return
        report = _quantise(job)
    Console().print(Markdown("\n".join(markdown(report))))
    print(f"{job.bundle.root / _FILE}: {'; '.join(report.verdict)}")


def _job(options: argparse.Namespace) -> Job:
    settings = _settings(options)
    torch.set_num_threads(options.threads)
    bundle = load_bundle(options.bundle)
    trained, student = load_student(bundle, options.run), bundle.manifest.student
    pictures = choose_pictures(options.images, options.masks, trained.config.data)
    pictures.read(0)  # a label that is missing is said now, not after minutes of calibration
    return Job(
        bundle=bundle,
        trained=trained,
        checkpoint=RunDirectory(options.run or Path(student["run"])).checkpoint(student["checkpoint"]),
        images=choose_images(options.calibration, options.images_count, options.seed),
        pictures=pictures,
        settings=settings,
        seed=options.seed,
        calibration=options.calibration,
        samples=options.samples,
        threads=options.threads,
    )


def _settings(options: argparse.Namespace) -> Settings:
    if options.masks and not options.images:
        raise UserError("--masks: needs --images, the folder of the images that they label")
    for name in ("images_count", "samples", "threads"):
        if getattr(options, name) < 1:
            raise UserError(f"--{name.replace('_', '-')} {getattr(options, name)}: must be at least 1")
    try:
        return Settings(**{name: getattr(options, name) for name in Settings.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"--{str(first['loc'][0]).replace('_', '-')} {first['input']}: {first['msg']}") from None


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
        worst = bundle.root.with_name(f"{bundle.root.name}-differences")
        record = prove_file(manifest, INT8_ROLE, path, record, job.trained.network, job.pictures, worst)
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
        network = finetune(job.trained, job.checkpoint, manifest.input, job.images, settings.finetune)
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
    assert accuracy is not None
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


def _options() -> argparse.Namespace:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m export.quantize",
        description="Add an INT8 graph to a bundle: calibrated on a folder of images, with as few layers left in fp32 "
        "as the allowed loss asks for, verified against PyTorch, timed against fp32, and reported in words.",
    )
    parser.add_argument("bundle", type=Path, help="folder made by export.onnx")
    parser.add_argument("--calibration", type=Path, required=True, help="folder of images to learn the ranges from")
    parser.add_argument("--images-count", type=int, default=32, help="of these, how many (default: 32)")
    parser.add_argument("--seed", type=int, default=0, help="chooses which of them (default: 0)")
    parser.add_argument("--method", choices=METHODS, default="minmax", help="rule for the ranges (default: minmax)")
    parser.add_argument(
        "--percentile",
        type=float,
        default=defaults.percentile,
        help="for percentile: of |x|, per cent (default: 99.99)",
    )
    parser.add_argument(
        "--max-drop",
        type=float,
        default=defaults.max_drop,
        help="largest loss, points of mIoU, or of agreement where there are no labels (default: 0.5)",
    )
    parser.add_argument(
        "--score-images",
        type=int,
        default=defaults.score_images,
        help="pictures the search is scored on (default: 128)",
    )
    parser.add_argument(
        "--layer-images", type=int, default=defaults.layer_images, help="pictures for each layer alone (default: 16)"
    )
    parser.add_argument(
        "--finetune",
        type=int,
        default=defaults.finetune,
        metavar="STEPS",
        help="train so many steps more first, with the run's losses and teacher and layers that round as in INT8 "
        "(default: 0)",
    )
    parser.add_argument("--images", type=Path, help="folder of images to score on (default: the val split of the run)")
    parser.add_argument("--masks", type=Path, help="folder of label masks with the images' stems (default: no labels)")
    parser.add_argument("--run", type=Path, help="run directory of the student, if it has moved (default: as exported)")
    parser.add_argument("--samples", type=int, default=50, help="timed inferences of each file (default: 50)")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="CPU threads of one inference (default: all cores)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    command(main)
