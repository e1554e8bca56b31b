"""``python -m export.verify BUNDLE``: prove that each file of a bundle says what its PyTorch student says."""

import argparse
import json
from pathlib import Path

from rich.console import Console

from export.bundle import Bundle, load_bundle, update_file
from export.manifest import FileRecord
from export.pictures import choose_pictures
from export.proof import Verdict, differences_folder, disagreement, prove
from export.proof_options import add_picture_options, add_run_option
from export.proof_table import pixel_lines, proof_table
from export.student import load_student
from train.command import command


def main() -> None:
    options = _options()
    bundle = load_bundle(options.bundle)
    trained = load_student(bundle, options.run)
    pictures = choose_pictures(options.images, options.masks, trained.config.data)
    worst = options.worst or differences_folder(options.bundle)
    files = {role: (bundle.file(role), bundle.record(role)) for role in options.role or bundle.manifest.files}
    verdicts = prove(bundle.manifest, files, trained.network, pictures, worst)
    for verdict in verdicts:
        _record(bundle, verdict)
    _show(bundle, verdicts)
    if options.bisect:
        from export.bisect import bisect_files

        bisect_files(bundle, files, trained.network, next(iter(pictures)))
    if options.json:
        content = {verdict.role: _plain(bundle, verdict) for verdict in verdicts}
        options.json.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    failed = next((verdict for verdict in verdicts if verdict.faults), None)
    if failed is not None:
        raise disagreement(str(bundle.file(failed.role)), failed, worst)


def _record(bundle: Bundle, verdict: Verdict) -> None:
    """Enter the outcome; what could not be compared here keeps what is known of it from elsewhere."""
    if verdict.accuracy is None:
        return
    proof = {"verified": verdict.passed, "accuracy": verdict.accuracy}

    def change(record: FileRecord) -> FileRecord:
        return record.model_copy(update=proof)

    update_file(bundle.root, verdict.role, bundle.record(verdict.role).sha256, change)


def _show(bundle: Bundle, verdicts: list[Verdict]) -> None:
    console = Console()
    console.print(proof_table({verdict.role: verdict.accuracy for verdict in verdicts}))
    for verdict in verdicts:
        for line in pixel_lines(verdict.role, verdict.accuracy) if verdict.accuracy else ():
            print(line)
        if verdict.not_here:
            print(f"{bundle.record(verdict.role).path}: not verified here: {verdict.not_here}")


def _plain(bundle: Bundle, verdict: Verdict) -> dict[str, object]:
    return {
        "path": bundle.record(verdict.role).path,
        "passed": verdict.passed,
        "faults": verdict.faults,
        "not_verified_here": verdict.not_here or None,
        "accuracy": verdict.accuracy.model_dump(mode="json") if verdict.accuracy else None,
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m export.verify",
        description="Compare each file of a bundle with the PyTorch student it was exported from, on real images.",
    )
    parser.add_argument("bundle", type=Path, help="folder made by export.onnx")
    parser.add_argument("--role", nargs="+", help="files to verify, by role, e.g. onnx onnx_fp16 (default: all)")
    add_picture_options(parser)
    add_run_option(parser)
    parser.add_argument("--bisect", action="store_true", help="also find the first layer that departs (default: no)")
    parser.add_argument("--worst", type=Path, help="folder for pictures of differences (default: BUNDLE-differences)")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    return parser.parse_args()


if __name__ == "__main__":
    command(main)
