"""``python -m export.trt BUNDLE``: a plan for TensorRT, or TensorRT for RTX, from a graph of the bundle.

It takes torch to verify the plan, and nothing else here does.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from export.bundle import Bundle, BundleError, add_file, file_record, load_bundle, new_file, sha256
from export.lock import locked
from export.manifest import DEFAULT_ROLE, FileRecord, PlanTarget
from export.plan_kernels import find_fatbin, part_name
from export.plan_source import PlanSource
from export.readme import write_readme
from export.tensorrt.build import BuildOptions, Built, build_plan
from export.tensorrt.flavour import Flavour, TensorRt, load_tensorrt
from export.tensorrt.gpu import this_gpu
from export.tensorrt.layers import count_precisions
from export.tensorrt.profile import check_verifiable, default_profile, parse_profile
from export.tensorrt.target import plan_target, runs_on
from export.trt_options import FLAVOURS, parse_options
from train.command import command
from train.errors import UserError

if TYPE_CHECKING:
    from export.prover import Prover

_SOURCES = {"fp32": DEFAULT_ROLE, "fp16": "onnx_fp16", "int8": "onnx_int8"}
_MADE_BY = {
    "fp32": "python -m export.onnx RUN --out {root}",
    "fp16": "python -m export.onnx RUN --out {root} --precision fp16",
    "int8": "python -m export.quantize {root} --calibration DIR",
}


def main() -> None:
    options = parse_options()
    _check(options)
    bundle = load_bundle(options.bundle)
    graph = _source(bundle, options.precision)
    build = _build_options(bundle, options)
    flavour = FLAVOURS[options.flavour]
    trt, gpu = _load(flavour), this_gpu()
    target = plan_target(trt, flavour, gpu, options.sm, build.profiles)
    role = _role(options, target)
    parts = {part_name(_plan_name(role)): find_fatbin(options.kernels)} if options.outputs == "logits" else {}
    source = PlanSource.of(bundle.root / graph.path, options.outputs)
    prover = _prover(bundle, build, options) if runs_on(target, gpu) and not options.no_verify else None
    fields = {"precision": options.precision, "runtime": flavour, "source_sha256": graph.sha256, "built_for": target}
    fields |= {"options": _made_with(options), "versions": {flavour: trt.__version__}, "logits": source.logits}
    fields |= {"parts": {name: sha256(path) for name, path in parts.items()}}
    with locked(bundle.root, role, wait_s=0):
        record = bundle.manifest.files.get(role)
        if record is not None and all(getattr(record, name) == value for name, value in fields.items()):
            record = _reuse(bundle, role, prover)
        else:
            with source.file() as path:
                built = build_plan(trt, path, build, f"build {role}", runs_on(target, gpu))
            record = _add(bundle, role, built, fields, parts, prover)
            print(_summary(bundle, role, record, built))
    if options.json:
        options.json.write_text(json.dumps({role: record.model_dump(mode="json")}, indent=2) + "\n", encoding="utf-8")


def _check(options: argparse.Namespace) -> None:
    if options.workspace is not None and options.workspace < 1:
        raise UserError(f"--workspace {options.workspace}: at least 1 MiB; leave it out for no limit")
    if options.flavour == "rtx" and (options.timing_cache or options.dla is not None):
        raise UserError("--timing-cache and --dla are for --flavour tensorrt: TensorRT for RTX has neither")
    if options.dla is not None and options.precision == "fp32":
        raise UserError(f"--dla {options.dla}: a DLA has no fp32: add --precision fp16 or int8")


def _load(flavour: Flavour) -> TensorRt:
    try:
        return load_tensorrt(flavour)
    except UserError as error:
        if flavour == FLAVOURS["rtx"]:
            raise
        raise UserError(f"{error}; to build without a GPU: --flavour rtx") from None


def _source(bundle: Bundle, precision: str) -> FileRecord:
    if _SOURCES[precision] not in bundle.manifest.files:
        made_by = _MADE_BY[precision].format(root=bundle.root)
        raise BundleError(f"{bundle.root}: has no {precision} graph to build from: make it with `{made_by}`")
    return bundle.record(_SOURCES[precision])


def _build_options(bundle: Bundle, options: argparse.Namespace) -> BuildOptions:
    spec = bundle.manifest.input
    return BuildOptions(
        profiles=[parse_profile(text, spec) for text in options.profile] or [default_profile(spec)],
        sm=options.sm if options.flavour == "rtx" else [],
        workspace_mib=options.workspace,
        dla_core=options.dla,
        timing_cache=options.timing_cache,
    )


def _role(options: argparse.Namespace, target: PlanTarget) -> str:
    name = options.precision if options.outputs == "mask" else f"{options.precision}_logits"
    if options.flavour == "rtx":
        return f"rtx_{'-'.join(options.sm) or 'portable'}_{name}"
    device = target.sm[0] if options.dla is None else f"{target.sm[0]}-dla{options.dla}"
    return f"trt_{device}_{name}"


def _made_with(options: argparse.Namespace) -> dict[str, Any]:
    names = ("flavour", "precision", "outputs", "profile", "sm", "workspace", "dla")
    return {name: getattr(options, name) for name in names if getattr(options, name) not in (None, [], "mask")}


def _prover(bundle: Bundle, build: BuildOptions, options: argparse.Namespace) -> "Prover":
    """Made before the build, which takes minutes: what is missing is said now."""
    check_verifiable(build.profiles[0], bundle.manifest.input)
    try:
        from export.plan_runner import check_torch
        from export.prover import Prover
        from export.student import load_student
    except ImportError as error:
        raise UserError(
            f"no plan is verified here ({error}): pip install 'segdistill[export]', or give --no-verify"
        ) from None
    check_torch()
    return Prover.of(options, load_student(bundle, options.run), bundle.root)


def _reuse(bundle: Bundle, role: str, prover: "Prover | None") -> FileRecord:
    if prover is not None:
        return prover.reuse(bundle, role)
    print(f"{bundle.file(role).name}: nothing changed since it was made: reused")
    return bundle.record(role)


def _add(
    bundle: Bundle,
    role: str,
    built: Built,
    fields: dict[str, Any],
    parts: dict[str, Path],
    prover: "Prover | None",
) -> FileRecord:
    """Enter the plan and its parts, verified where that can be done; what is known of its layers stands beside it.

    Raises:
        BundleError: it is not what PyTorch says.
    """
    report = _report_path(bundle, role)
    with new_file(report) as layers:
        layers.write_text(json.dumps(built.layers, indent=1) + "\n", encoding="utf-8")
        with new_file(bundle.root / _plan_name(role)) as plan:
            plan.write_bytes(built.plan)
            for name, part in parts.items():
                shutil.copyfile(part, plan.with_name(name))
            record = file_record(plan, **fields)
            if prover is not None:
                record = prover.prove(bundle.manifest, role, plan, record)
            manifest = add_file(bundle.root, role, plan, record)
        layers.replace(report)
    write_readme(Bundle(bundle.root, manifest))
    return record


def _summary(bundle: Bundle, role: str, record: FileRecord, built: Built) -> str:
    precisions = ", ".join(f"{count} {name}" for name, count in count_precisions(built.layers).items())
    not_verified = "--no-verify" if built.loaded else "built, not run here: no GPU that it is for"
    return (
        f"{role}: {bundle.root / record.path}, {record.size_bytes / 1e6:.1f} MB, built in {built.seconds:.1f} s\n"
        f"layers: {len(built.layers['Layers'])} ({precisions}), in {_report_path(bundle, role)}\n"
        f"{'verified on this GPU' if record.verified else f'not verified: {not_verified}'}"
    )


def _plan_name(role: str) -> str:
    return f"model.{role}.plan"


def _report_path(bundle: Bundle, role: str) -> Path:
    return bundle.root / f"model.{role}.layers.json"


if __name__ == "__main__":
    command(main)
