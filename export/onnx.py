"""``python -m export.onnx RUN --out BUNDLE``: a run's student as a verified bundle."""

import argparse
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

from PIL import Image
from rich.console import Console

from export.bundle import MANIFEST, Bundle, BundleError, file_record, save_manifest, update_file
from export.graph import OPSET, write_graph
from export.manifest import DEFAULT_ROLE, InputSpec, Manifest, OutputSpec
from export.student import describe_student, describe_teacher
from export.verify import accuracy_table, agrees, disagreement, from_dataset, from_folder, verify
from train.checkpoint import TrainedNetwork, load_run
from train.command import command
from train.data.open import open_dataset
from train.data.resize import Size
from train.errors import UserError
from train.run_directory import atomic_path

_SAMPLES = 4
_VERSIONS_OF = ("torch", "onnx", "onnxscript", "onnxslim", "onnxruntime", "onnxruntime-gpu")


def main() -> None:
    options = _options()
    trained = load_run(options.run, options.checkpoint)
    _check_target(options.out)
    worst = options.out.with_name(f"{options.out.name}-differences")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(options.out) as root:
        root.mkdir()
        manifest = _write_bundle(root, trained, options)
        if not options.no_verify:
            data = trained.config.data
            pictures = from_folder(options.images, options.masks, data) if options.images else from_dataset(data)
            accuracy = verify(Bundle(root, manifest), trained.network, pictures, worst)
            Console().print(accuracy_table(accuracy))
            if not agrees(manifest, accuracy):
                raise disagreement(options.out, manifest, accuracy, worst)
            proof = {"verified": True, "accuracy": accuracy}
            sha256 = manifest.files[DEFAULT_ROLE].sha256
            update_file(root, DEFAULT_ROLE, sha256, lambda record: record.model_copy(update=proof))
    print(f"bundle: {options.out}{' (not verified)' if options.no_verify else ''}")


def _write_bundle(root: Path, trained: TrainedNetwork, options: argparse.Namespace) -> Manifest:
    data = trained.config.data
    spec = _input_spec(trained, tuple(options.size) if options.size else data.size, options.fixed)
    output = OutputSpec(logits="logits" if options.logits else None)
    write_graph(trained.network, spec, output, root / "model.onnx")
    _write_samples(root / "samples", trained)
    student = describe_student(options.run, options.checkpoint, trained)
    versions = {"onnx_opset": str(OPSET), **_versions()}
    record = file_record(root / "model.onnx", source_sha256=student["weights_sha256"], versions=versions)
    manifest = Manifest(
        name=options.out.name,
        created=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        classes=data.classes,
        palette=data.palette,
        input=spec,
        output=output,
        files={DEFAULT_ROLE: record},
        student=student,
        teacher=describe_teacher(trained),
        method=[loss.model_dump(mode="json") for loss in trained.config.losses],
        dataset=data.layout,
        licence_note=options.licence_note,
    )
    save_manifest(root, manifest)
    return manifest


def _input_spec(trained: TrainedNetwork, size: Size, fixed: bool) -> InputSpec:
    network = trained.network
    if any(side % network.multiple for side in size):
        raise UserError(
            f"--size {size[0]} {size[1]}: both must be multiples of {network.multiple}, the student's stride"
        )
    return InputSpec(
        height=size[0],
        width=size[1],
        multiple=network.multiple,
        dynamic_batch=not fixed,
        dynamic_size=not fixed,
        mean=network.mean.flatten().tolist(),
        std=network.std.flatten().tolist(),
    )


def _write_samples(folder: Path, trained: TrainedNetwork) -> None:
    """A few pictures of the val split, so that a bundle can be tried and timed wherever it goes."""
    data = trained.config.data
    dataset = open_dataset(data, data.val_split)
    folder.mkdir()
    count = min(_SAMPLES, len(dataset))
    for number in range(count):
        sample = dataset[number * len(dataset) // count]
        Image.fromarray(sample.image).save(folder / f"{sample.name}.jpg", quality=95)


def _check_target(out: Path) -> None:
    """An earlier bundle may be replaced, anything else may not."""
    if out.exists() and not (out / MANIFEST).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise BundleError(f"{out}: exists and is no bundle: choose another --out")


def _versions() -> dict[str, str]:
    installed = {distribution.metadata["Name"] for distribution in metadata.distributions()}
    return {name: metadata.version(name) for name in _VERSIONS_OF if name in installed}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.onnx",
        description="Export a run's student to a bundle: uint8 NHWC pictures in, uint8 class ids out, verified.",
    )
    parser.add_argument("run", type=Path, help="run directory made by train.distill or train.teacher")
    parser.add_argument("--out", type=Path, required=True, help="folder of the bundle")
    parser.add_argument("--checkpoint", choices=["best", "last"], default="best", help="which one (default: best)")
    parser.add_argument(
        "--size", type=int, nargs=2, metavar=("H", "W"), help="network input, pixels (default: as it was scored)"
    )
    parser.add_argument("--fixed", action="store_true", help="fix batch 1 and the size (default: all dynamic)")
    parser.add_argument("--logits", action="store_true", help="also give the low-resolution logits (default: no)")
    parser.add_argument("--images", type=Path, help="folder of images to verify on (default: the run's val split)")
    parser.add_argument("--masks", type=Path, help="folder of label masks with the images' stems (default: no labels)")
    parser.add_argument("--no-verify", action="store_true", help="skip the proof; the bundle says so (default: no)")
    parser.add_argument("--licence-note", default="", help="text for the manifest, e.g. the data's licence")
    return parser.parse_args()


if __name__ == "__main__":
    command(main)
