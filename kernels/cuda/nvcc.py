"""Calls to CUDA's compiler (no torch, no GPU)."""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

ARCHITECTURES = (75, 80, 86, 87, 89, 90, 100, 120)
"""Compute capability times 10 of the chips that get machine code: Turing to Blackwell, 87 is Jetson Orin."""

PTX_ARCHITECTURE = 75
"""All other chips, newer ones too, compile this PTX when they load it. Nothing here needs more than sm_75 has."""

_DEFAULT_HOME = Path("/usr/local/cuda")
_FLAGS = (
    "-fatbin",
    "-std=c++17",
    "-fmad=false",  # the CPU build's bits: operations are fused only where the source says fmaf
    "-Werror=all-warnings",
    "-Xptxas=--verbose,--warn-on-spills,--warning-as-error",
)


class BuildError(Exception):
    """There is no compiler, or it refused a source. The message is what a user should read."""


def find_nvcc() -> Path:
    """nvcc of ``CUDA_HOME``, else of /usr/local/cuda, else of ``PATH``.

    Raises:
        BuildError: none of them has it.
    """
    home = os.environ.get("CUDA_HOME")
    if home or _DEFAULT_HOME.is_dir():
        nvcc = Path(home or _DEFAULT_HOME) / "bin" / "nvcc"
        if nvcc.is_file():
            return nvcc
        if home:
            raise BuildError(f"CUDA_HOME={home}: no bin/nvcc there: set it to the folder of a CUDA toolkit")
    on_path = shutil.which("nvcc")
    if on_path is None:
        raise BuildError("nvcc not found: install the CUDA toolkit (12.8 or newer), or set CUDA_HOME to its folder")
    return Path(on_path)


def nvcc_version(nvcc: Path) -> str:
    """``13.0.88``, for example."""
    text = subprocess.run([nvcc, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\bV(\d+(?:\.\d+)+)", text)
    if found is None:
        raise BuildError(f"{nvcc}: does not say its version: is it CUDA's nvcc?")
    return found[1]


def compile_fatbin(
    nvcc: Path, source: Path, output: Path, architectures: Sequence[int] = ARCHITECTURES, ptx: bool = True
) -> str:
    """One source to one fatbin of machine code for some architectures, and PTX for all others.

    Returns:
        What ptxas says of each kernel's resources.

    Raises:
        BuildError: an error, a warning or a register spill.
    """
    code = [f"-gencode=arch=compute_{arch},code=sm_{arch}" for arch in architectures]
    if ptx:
        code.append(f"-gencode=arch=compute_{PTX_ARCHITECTURE},code=compute_{PTX_ARCHITECTURE}")
    command = [str(nvcc), *_FLAGS, *code, "-o", str(output), str(source)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise BuildError(f"{source}: nvcc refused it:\n{result.stdout}{result.stderr}".rstrip())
    return result.stdout + result.stderr
