"""Proven bundles, and a device of stand-ins to start on: a CUDA driver, and a TensorRT that can build."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from export.bundle import load_bundle, save_manifest
from tests.kernels.cuda.on_cpu.kernels import compile_for_cpu
from tests.serve.conftest import ROOT
from tests.serve.tiny_bundles import HEIGHT, WIDTH, make_bundle

BUILDER = Path(__file__).parent / "builder"
STAND_IN = ROOT / "tests/serve/engines/stand_in"


def make_proven(root: Path, model: onnx.ModelProto | None = None) -> Path:
    """A bundle as `export.onnx` leaves it: the graph verified, a sample picture beside it."""
    make_bundle(root, model)
    (root / "samples").mkdir()
    pixels = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    Image.fromarray(pixels).save(root / "samples/street.png")
    manifest = load_bundle(root).manifest
    record = manifest.files["onnx"].model_copy(update={"verified": True})
    save_manifest(root, manifest.model_copy(update={"files": {"onnx": record}}))
    return root


@pytest.fixture
def proven(tmp_path: Path) -> Path:
    return make_proven(tmp_path / "bundle")


@pytest.fixture(scope="package")
def device(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which a GPU seems to be there."""
    folder = tmp_path_factory.mktemp("device")
    driver = compile_for_cpu(folder / "libcuda.so.1", STAND_IN / "libcuda.cpp", "-ldl", "-Wl,-soname,libcuda.so.1")
    return {"LD_PRELOAD": str(driver), "PYTHONPATH": os.pathsep.join([str(BUILDER), str(ROOT)])}


class Start:
    """``python -m serve.prepare`` until the server in it answers, or until it ends."""

    def __init__(self, bundle: Path, out: Path, *options: str, environment: dict[str, str]) -> None:
        command = [sys.executable, "-m", "serve.prepare", str(bundle), "--out", str(out), *options]
        command += ["--", "--port", "0", "--log-level", "error"]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.strip())
            if line.startswith("serving "):
                break
        self.said = "\n".join(self.lines)
        self.url = self.said.split()[-1] if self.said else ""

    def end(self) -> tuple[int, str]:
        """The exit code, and what went to stderr."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


@pytest.fixture
def start() -> Iterator[Callable[..., Start]]:
    started: list[Start] = []

    def begin(bundle: Path, out: Path, *options: str, environment: dict[str, str] | None = None) -> Start:
        started.append(Start(bundle, out, *options, environment=environment or {}))
        return started[-1]

    yield begin
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.communicate()
