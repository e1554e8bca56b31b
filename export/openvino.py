"""``python -m export.openvino BUNDLE``: a graph of the bundle as OpenVINO IR, verified, and timed."""

import argparse
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table

from export.bundle import Bundle, add_file, file_record, load_bundle, new_file, sha256
from export.int8.settings import INT8_ROLE
from export.latency import time_in_turn
from export.lock import locked
from export.manifest import DEFAULT_ROLE, FileRecord, Latency
from export.openvino_runner import OpenVinoRunner, openvino
from export.pictures import Picture, choose_pictures
from export.preprocess import preprocess
from export.proof_options import add_proof_options, add_run_option
from export.prover import Prover
from export.readme import write_readme
from export.runner import OnnxRuntimeRunner
from export.student import load_student
from export.timing_options import add_timing_options, check_timing
from train.command import command

ROLE = "openvino"
_FILE = "model.openvino.xml"


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    bundle = load_bundle(options.bundle)
    source = options.role or (INT8_ROLE if INT8_ROLE in bundle.manifest.files else DEFAULT_ROLE)
    trained = load_student(bundle, options.run)
    prover = Prover.of(options, trained, bundle.root)
    picture = choose_pictures(options.images, options.masks, trained.config.data).read(0)
    with locked(bundle.root, ROLE, wait_s=0), new_file(bundle.root / _FILE) as path:
        record = _write_ir(bundle, source, path)
        record = prover.prove(bundle.manifest, ROLE, path, record)
        latency = _time(bundle, path, picture, options)
        record = record.model_copy(update={"latency": [latency[ROLE]]})
        write_readme(Bundle(bundle.root, add_file(bundle.root, ROLE, path, record)))
    Console().print(_latency_table(latency))
    print(f"{bundle.root / _FILE}: {_verdict(latency, record.precision)}")


def _write_ir(bundle: Bundle, source: str, path: Path) -> FileRecord:
    """IR is two files: the graph as XML, the weights beside it."""
    library = openvino()
    library.save_model(library.Core().read_model(bundle.file(source)), path, compress_to_fp16=False)
    weights = path.with_suffix(".bin")
    made_from = bundle.record(source)
    allowed = {key: value for key, value in made_from.options.items() if key == "max_drop"}
    return file_record(
        path,
        parts={weights.name: sha256(weights)},
        precision=made_from.precision,
        runtime="openvino",
        source_sha256=made_from.sha256,
        options={"source": source, **allowed},
        versions={"openvino": library.__version__},
    )


def _time(bundle: Bundle, path: Path, picture: Picture, options: argparse.Namespace) -> dict[str, Latency]:
    """The IR against each ONNX graph that it competes with."""
    manifest = bundle.manifest
    roles = [role for role in (DEFAULT_ROLE, INT8_ROLE) if role in manifest.files]
    runners: dict[str, OnnxRuntimeRunner | OpenVinoRunner] = {
        role: OnnxRuntimeRunner(bundle.file(role), bundle.record(role), manifest, options.threads) for role in roles
    }
    runners[ROLE] = OpenVinoRunner(path, manifest, options.threads)
    image = preprocess(picture.image, manifest.input)
    return time_in_turn(runners, image, manifest.input, options.threads, options.samples)


def _latency_table(latency: dict[str, Latency]) -> Table:
    first = latency[DEFAULT_ROLE]
    title = f"{first.scope}; threads: {first.threads}, samples: {first.samples}, {first.device}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE)
    for column in ("file", "runtime"):
        table.add_column(column, no_wrap=True)
    for column in ("p50 ms", "p90 ms", "p99 ms", "speed"):
        table.add_column(column, justify="right")
    for role, row in latency.items():
        times = (f"{value:.2f}" for value in (row.p50_ms, row.p90_ms, row.p99_ms))
        table.add_row(role, row.runtime, *times, f"{first.p50_ms / row.p50_ms:.2f}x")
    return table


def _verdict(latency: dict[str, Latency], precision: str) -> str:
    speed = latency[DEFAULT_ROLE].p50_ms / latency[ROLE].p50_ms
    word = "faster" if speed > 1 else "slower"
    return f"OpenVINO in {precision} is {word} here than ONNX Runtime in fp32 ({speed:.2f}x)"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.openvino",
        description="Add OpenVINO IR (model.openvino.xml and .bin) to a bundle, for x86 CPUs: verified against PyTorch "
        "and timed against ONNX Runtime.",
    )
    parser.add_argument("bundle", type=Path, help="folder made by export.onnx")
    parser.add_argument(
        "--role",
        choices=[DEFAULT_ROLE, INT8_ROLE],
        help="graph to make it from (default: onnx_int8 where export.quantize has made one, else onnx)",
    )
    add_proof_options(parser)
    add_run_option(parser)
    add_timing_options(parser, samples=50)
    options = parser.parse_args()
    check_timing(options)
    return options


if __name__ == "__main__":
    command(main)
