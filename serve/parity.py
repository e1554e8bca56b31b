"""Whether a loaded network gives the class maps that its bundle's fp32 graph gives, on this very machine."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export.bundle import Bundle, BundleError
from export.manifest import DEFAULT_ROLE, MIN_AGREEMENT, FileRecord
from export.preprocess import preprocess
from serve.engines.protocol import Engine
from train.data.image import read_image

_SAMPLES = "samples"
_FEW_PICTURES = 0.01  # by so much the agreement of a few may lie below that of all


def check_parity(bundle: Bundle, engine: Engine) -> float:
    """Run the bundle's sample pictures through ``engine`` and the fp32 graph: the share of equal pixels, 0..1.

    Where ONNX Runtime is not installed, which a TensorRT plan does without, it is the share that was proven.

    Raises:
        BundleError: fewer pixels agree than the precision of the engine's file may cost; or they cannot be compared
            here, and were not where the file was made.
    """
    try:
        from export.session import open_session
    except ModuleNotFoundError:
        return _proven(bundle, engine.role)
    reference = open_session(bundle.file(DEFAULT_ROLE), engine.threads, ["CPUExecutionProvider"])
    spec, output = bundle.manifest.input, bundle.manifest.output
    equal = pixels = 0
    for image in _pictures(bundle):
        (expected,) = reference.run([output.name], {spec.name: image})
        equal += int((engine.infer(image).ids == expected).sum())
        pixels += expected.size
    agreement, least = equal / pixels, _least(bundle.record(engine.role))
    if agreement < least:
        raise BundleError(
            f"{bundle.root}: '{engine.role}' on {engine.runtime} gives the class of the fp32 graph for {agreement:.4f} "
            f"of the pixels of its samples, less than {least:.4f}: build it again here"
        )
    return agreement


def _proven(bundle: Bundle, role: str) -> float:
    record = bundle.record(role)
    if not record.verified or record.accuracy is None:
        raise BundleError(
            f"{bundle.root}: '{role}' is not verified, and there is no ONNX Runtime here to compare it with: "
            f"`python -m export.verify {bundle.root} --role {role}`, or pip install 'segdistill[cpu]'"
        )
    return record.accuracy.agreement


def _least(record: FileRecord) -> float:
    """What the precision may cost, or, where that was proven to cost no mIoU, somewhat less than what was measured."""
    least, accuracy = MIN_AGREEMENT[record.precision], record.accuracy
    return least if accuracy is None or accuracy.agreement >= least else accuracy.agreement - _FEW_PICTURES


def samples(bundle: Bundle) -> list[Path]:
    """The pictures that came with the bundle."""
    folder = bundle.root / _SAMPLES
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _pictures(bundle: Bundle) -> list[NDArray[np.uint8]]:
    spec = bundle.manifest.input
    paths = samples(bundle)
    if not paths:  # a bundle made by hand: noise has all classes' borders
        return [np.random.default_rng(0).integers(0, 256, (1, spec.height, spec.width, 3), dtype=np.uint8)]
    return [preprocess(read_image(path), spec) for path in paths]
