"""``python -m export.triton_server BUNDLE --repository DIR``: a model for NVIDIA Triton Inference Server (no torch)."""

import argparse
import re
import shutil
from pathlib import Path

from export.bundle import Bundle, load_bundle, new_file, sha256
from export.lock import locked
from export.manifest import DEFAULT_ROLE
from export.text_format import text_format
from export.triton_config import LABELS, Serving, model_config, model_file_name
from train.command import command
from train.errors import UserError

CONFIG = "config.pbtxt"


def main() -> None:
    options = _options()
    bundle = load_bundle(options.bundle)
    serving = Serving(
        role=options.role,
        name=options.name or bundle.manifest.name,
        max_batch=options.max_batch,
        queue_delay_us=options.queue_delay,
        instances=options.instances,
        device=options.device,
        threads=options.threads,
    )
    _check(serving)
    version = write_model(bundle, serving, options.repository)
    record = bundle.record(serving.role)
    print(f"model: {options.repository / serving.name}, version {version}: {record.path}")
    if not record.verified:
        print(f"not verified: `python -m export.verify {bundle.root}` compares it with PyTorch")
    if record.built_for is not None:
        print(f"needs the Triton that comes with TensorRT {record.built_for.tensorrt}, on {record.built_for.gpu}")


def write_model(bundle: Bundle, serving: Serving, repository: Path) -> int:
    """Add the file as a new version of its model; the number of the version.

    The newest version is kept where it is the same file. Nothing changes in the repository before all is written.

    Raises:
        BundleError, UserError: as `model_config`; or the disk is full.
    """
    record = bundle.record(serving.role)
    config = text_format(model_config(bundle, serving))
    model = repository / serving.name
    repository.mkdir(parents=True, exist_ok=True)
    with locked(model, "model"), new_file(model) as made:
        made.mkdir()
        (made / LABELS).write_text("".join(f"{name}\n" for name in bundle.manifest.classes), encoding="utf-8")
        (made / CONFIG).write_text(config, encoding="utf-8")
        newest = max(_versions(model), default=0)
        name = model_file_name(record)
        if newest and _same(model / str(newest) / name, record.sha256):
            version = newest
        else:
            version = newest + 1
            (made / str(version)).mkdir()
            shutil.copyfile(bundle.file(serving.role), made / str(version) / name)
        model.mkdir(exist_ok=True)
        for path in sorted(made.iterdir()):  # the version before its configuration
            path.replace(model / path.name)
    return version


def _versions(model: Path) -> list[int]:
    return [int(path.name) for path in model.glob("*") if path.is_dir() and re.fullmatch(r"[1-9]\d*", path.name)]


def _same(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path) == digest


def _check(serving: Serving) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", serving.name):
        raise UserError(f"--name {serving.name}: it is part of a URL: use letters, digits, '_', '-' and '.'")
    for option, value, least in (
        ("max-batch", serving.max_batch, 1),
        ("queue-delay", serving.queue_delay_us, 0),
        ("instances", serving.instances, 1),
        ("threads", serving.threads, 1),
    ):
        if value is not None and value < least:
            raise UserError(f"--{option} {value}: at least {least}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.triton_server",
        description="Write a file of the bundle into a model repository of NVIDIA Triton Inference Server. Clients "
        "send uint8 RGB (batch, height, width, 3) at the manifest's size and get uint8 class ids.",
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder with manifest.json, made by export.onnx")
    parser.add_argument("--repository", type=Path, required=True, metavar="DIR", help="the server's model repository")
    parser.add_argument(
        "--role",
        default=DEFAULT_ROLE,
        help=f"which of the bundle's files: onnx, trt_87_fp16 … (default: {DEFAULT_ROLE})",
    )
    parser.add_argument("--name", help="of the model (default: the bundle's)")
    parser.add_argument(
        "--max-batch", type=int, metavar="N", help="images that are put together (default: 8, or all that a plan takes)"
    )
    parser.add_argument(
        "--queue-delay", type=int, default=0, metavar="US", help="wait so long for more images, µs (default: 0)"
    )
    parser.add_argument("--instances", type=int, default=1, metavar="N", help="copies at work at once (default: 1)")
    parser.add_argument(
        "--device", choices=("auto", "cpu", "gpu"), default="auto", help="what computes it (default: a GPU if there is)"
    )
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads of one inference (default: ONNX Runtime's choice)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    command(main)
