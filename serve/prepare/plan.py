"""The plan of this device: built by ``python -m export.trt``, in a process of its own."""

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from export.bundle import Bundle
from export.tensorrt.flavour import load_tensorrt
from export.tensorrt.gpu import this_gpu
from train.errors import UserError


@dataclass(frozen=True)
class Wish:
    """Which plan."""

    precision: str
    dla_core: int | None
    workspace_mib: int | None
    timing_cache: Path


def build_plan(bundle: Bundle, wish: Wish) -> str:
    """Add the plan to the bundle, or find that it is there; its role.

    The builder takes gigabytes of the device's memory, which only the end of its process gives back.

    Raises:
        UserError: it cannot be built here; what the command said is its last line.
    """
    _check_device()
    with tempfile.TemporaryDirectory() as folder:
        entry = Path(folder) / "entry.json"
        command = [sys.executable, "-m", "export.trt", str(bundle.root), *_options(wish), "--json", str(entry)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise UserError(_reason(done.stderr) or f"{' '.join(command[1:])} ended with {done.returncode}")
        (role,) = json.loads(entry.read_text(encoding="utf-8"))
    return str(role)


def _check_device() -> None:
    """Before the command does, whose advice is for those who call it themselves."""
    load_tensorrt("tensorrt")
    if this_gpu() is None:
        raise UserError("no NVIDIA GPU here: give the container one, by --gpus all, on a Jetson by --runtime nvidia")


def _options(wish: Wish) -> list[str]:
    options = ["--no-verify", "--precision", wish.precision, "--timing-cache", str(wish.timing_cache)]
    options += [] if wish.dla_core is None else ["--dla", str(wish.dla_core)]
    return options + ([] if wish.workspace_mib is None else ["--workspace", str(wish.workspace_mib)])


def _reason(errors: str) -> str:
    lines = [line for line in errors.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else ""
