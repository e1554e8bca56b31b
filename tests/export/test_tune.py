"""The fastest session configuration is recorded, and changes nothing but the time."""

from pathlib import Path

import numpy as np

from export.bundle import load_bundle
from export.manifest import Latency
from export.runner import OnnxRuntimeRunner
from export.tune import CANDIDATES, fastest
from tests.export.commands import tune


def latency(p50_ms: float) -> Latency:
    times = {"p50_ms": p50_ms, "p90_ms": p50_ms, "p99_ms": p50_ms}
    return Latency(scope="inference", device="cpu", runtime="none", threads=1, samples=1, **times)


def test_a_gain_within_the_noise_is_none() -> None:
    assert fastest({"default": latency(10.0), "other": latency(9.8)}) == "default"
    assert fastest({"default": latency(10.0), "other": latency(9.0)}) == "other"


def test_every_configuration_gives_the_same_bits(exported: Path) -> None:
    bundle = load_bundle(exported)
    image = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    logits = set()
    for session in CANDIDATES.values():
        record = bundle.record("onnx").model_copy(update={"session": session})
        runner = OnnxRuntimeRunner(bundle.file("onnx"), record, bundle.manifest, threads=2)
        logits.add(runner.run(image)["logits"].tobytes())
    assert len(logits) == 1


def test_the_choice_stands_in_the_manifest(bundle_root: Path) -> None:
    tune(bundle_root, "--threads", "1", "--samples", "2")
    files = load_bundle(bundle_root).manifest.files
    assert all(record.session in CANDIDATES.values() for record in files.values())
