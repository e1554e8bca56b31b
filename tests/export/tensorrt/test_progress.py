"""A build shows what it does: bars in a terminal, lines elsewhere."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from export.bundle import load_bundle
from export.tensorrt import progress as progress_module
from export.tensorrt.build import BuildOptions, build_plan
from export.tensorrt.flavour import TensorRt
from export.tensorrt.profile import default_profile

ROOT = Path(__file__).parents[3]


def test_lines_without_a_terminal(
    rtx: TensorRt, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_module, "_SECONDS_BETWEEN_LINES", 0.0)
    options = BuildOptions([default_profile(load_bundle(root).manifest.input)], [])
    build_plan(rtx, root / "model.onnx", options, "build it", runs_here=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("build it: ")
    assert lines[-1].startswith("build it: Building engine 5/")
    assert all(line.endswith(" s so far") for line in lines)


def test_bars_in_a_terminal(root: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "export.trt", str(root), "--flavour", "rtx"]
    with subprocess.Popen(command, cwd=ROOT, stdout=theirs, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(theirs)
        text = _read(ours)
    assert process.returncode == 0
    assert "build rtx_portable_fp32: Building engine" in text
    assert "━" in text
    assert "not verified: built, not run here" in text


def _read(terminal: int) -> str:
    chunks = []
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # Linux says so at the end of a terminal
            chunk = b""
        if not chunk:
            return b"".join(chunks).decode()
        chunks.append(chunk)
