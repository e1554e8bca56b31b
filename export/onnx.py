"""``python -m export.onnx RUN --out BUNDLE``: a run's student as a verified bundle."""

import argparse
import contextlib
from datetime import datetime, timezone
from pathlib import Path

import onnx

from export.bundle import (
    MANIFEST,
    Bundle,
    BundleError,
    add_file,
    file_record,
    load_bundle,
    new_file,
    room_for,
    save_manifest,
)
from export.fp16 import KEPT_OPERATIONS, KEPT_PARTS, to_fp16
from export.graph import IR_VERSION, OPSET, make_graph, smallest_side
from export.lock import locked
from export.manifest import DEFAULT_ROLE, InputSpec, Manifest, OutputSpec
from export.metadata import describe
from export.proof_options import add_proof_options
from export.prover import Prover
from export.readme import write_readme
from export.samples import write_samples
from export.student import describe_student, describe_teacher
from export.versions import code_version, versions
from train.checkpoint import TrainedNetwork, load_run
from train.command import command
from train.data.resize import Size
from train.durable import atomic_path
from train.errors import UserError

FP16_ROLE = "onnx_fp16"
_SHAPES = {"fixed": (False, False), "batch": (True, False), "dynamic": (True, True)}


def main() -> None:
    options = _options()
    trained = load_run(options.run, options.checkpoint)
    _check_target(options.out)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    prover = Prover.of(options, trained, options.out)
    with locked(options.out, "export", wait_s=0):
        draft = _draft(trained, options)
        bundle = _unchanged(options.out, draft)
        if bundle is None:
            _write_bundle(options.out, draft, prover)
        else:
            prover.reuse(bundle, DEFAULT_ROLE)
        if options.precision == "fp16":
            _add_fp16(load_bundle(options.out), prover)
        write_readme(load_bundle(options.out))
    print(f"bundle: {options.out}")


def _draft(trained: TrainedNetwork, options: argparse.Namespace) -> Manifest:
    """All of the manifest but its files."""
    data = trained.config.data
    return Manifest(
        name=options.out.name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        classes=data.classes,
        palette=data.palette,
        input=_input_spec(trained, tuple(options.size) if options.size else data.size, options.shapes),
        output=OutputSpec(
            confidence="confidence" if options.confidence else None, logits="logits" if options.logits else None
        ),
        files={},
        student=describe_student(options.run, options.checkpoint, trained),
        teacher=describe_teacher(trained),
        method=[loss.model_dump(mode="json") for loss in trained.config.losses],
        dataset=data.layout,
        licence_note=options.licence_note,
    )


def _input_spec(trained: TrainedNetwork, size: Size, shapes: str) -> InputSpec:
    network = trained.network
    smallest = smallest_side(network)
    if any(side % network.multiple or side < smallest for side in size):
        at_least = f", at least {smallest}" if smallest > network.multiple else ""
        raise UserError(
            f"--size {size[0]} {size[1]}: both must be multiples of {network.multiple}, the student's stride{at_least}"
        )
    dynamic_batch, dynamic_size = _SHAPES[shapes]
    return InputSpec(
        height=size[0],
        width=size[1],
        multiple=network.multiple,
        smallest=smallest,
        dynamic_batch=dynamic_batch,
        dynamic_size=dynamic_size,
        mean=network.mean.flatten().tolist(),
        std=network.std.flatten().tolist(),
    )


def _made_with() -> dict[str, object]:
    return {"opset": OPSET, "ir_version": IR_VERSION, "code_sha256": code_version()}


def _unchanged(out: Path, draft: Manifest) -> Bundle | None:
    """The bundle that stands there, if exporting again would give the same."""
    if not (out / MANIFEST).is_file():
        return None
    try:
        bundle = load_bundle(out)
    except BundleError as error:
        print(f"{error}; doing so")
        return None
    record = bundle.manifest.files.get(DEFAULT_ROLE)
    head = {"files", "created", "seal"}
    same = bundle.manifest.model_dump(exclude=head) == draft.model_dump(exclude=head)
    if record is not None and same and record.options == _made_with() and record.versions == versions():
        return bundle
    others = [file.path for role, file in bundle.manifest.files.items() if role != DEFAULT_ROLE]
    if others:
        print(f"dropped with the bundle they were made for: {', '.join(others)}")
    return None


def _write_bundle(out: Path, draft: Manifest, prover: Prover) -> None:
    with contextlib.ExitStack() as stack, room_for(out), atomic_path(out) as root:
        root.mkdir()
        path = root / "model.onnx"
        model = make_graph(prover.trained.network, draft.input, draft.output)
        describe(model, draft, versions())
        onnx.save(model, path)
        weights = draft.student["weights_sha256"]
        record = file_record(path, source_sha256=weights, options=_made_with(), versions=versions())
        write_samples(root / "samples", prover.trained)
        record = prover.prove(draft, DEFAULT_ROLE, path, record)
        save_manifest(root, draft.model_copy(update={"files": {DEFAULT_ROLE: record}}))
        stack.enter_context(locked(out, "manifest"))  # nobody enters a file while the folder is put in its place


def _add_fp16(bundle: Bundle, prover: Prover) -> None:
    source = bundle.record(DEFAULT_ROLE)
    options = {**_made_with(), "kept_fp32": {"operations": list(KEPT_OPERATIONS), "parts": list(KEPT_PARTS)}}
    earlier = bundle.manifest.files.get(FP16_ROLE)
    if earlier is not None and (earlier.source_sha256, earlier.options) == (source.sha256, options):
        prover.reuse(bundle, FP16_ROLE)
        return
    with new_file(bundle.root / "model.fp16.onnx") as path:
        onnx.save(to_fp16(onnx.load(bundle.file(DEFAULT_ROLE)), path), path)
        record = file_record(
            path, precision="fp16", source_sha256=source.sha256, options=options, versions=source.versions
        )
        add_file(bundle.root, FP16_ROLE, path, prover.prove(bundle.manifest, FP16_ROLE, path, record))


def _check_target(out: Path) -> None:
    """An earlier bundle may be replaced, anything else may not."""
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BundleError(f"{out}: exists and is no bundle: choose another --out")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.onnx",
        description="Export a run's student to a bundle: uint8 NHWC pictures in, uint8 class ids out, verified. "
        "Done again with nothing changed, it keeps what is there.",
    )
    parser.add_argument("run", type=Path, help="run directory made by train.distill or train.teacher")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--checkpoint", choices=["best", "last"], default="best", help="which one (default: best)")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("H", "W"), help="network input, pixels (default: as it was scored)"
    )
    parser.add_argument(
        "--shapes",
        choices=list(_SHAPES),
        default="dynamic",
        help="what may change from call to call: nothing, with batch 1; the batch; the batch, height and width "
        "(default: dynamic)",
    )
    parser.add_argument(
        "--precision",
        choices=["fp32", "fp16"],
        default="fp32",
        help="fp16: model.fp16.onnx too, made from the fp32 graph (default: fp32)",
    )
    parser.add_argument(
        "--confidence", action="store_true", help="also give each pixel's confidence, 0..255 (default: no)"
    )
    parser.add_argument("--logits", action="store_true", help="also give the low-resolution logits (default: no)")
    add_proof_options(parser)
    parser.add_argument("--licence-note", default="", help="text for the manifest, e.g. the data's licence")
    return parser.parse_args()


if __name__ == "__main__":
    command(main)
