"""The kernels themselves, compiled by g++: launched on the CPU with the arguments, grid and block of a GPU."""

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kernels.cuda.launch import LAUNCHES

FOLDER = Path(__file__).parent
# -ffp-contract=off is nvcc's -fmad=false: both sides fuse only where the source says so.
FLAGS = ["-std=c++17", "-O2", "-ffp-contract=off", "-fno-strict-aliasing", "-shared", "-fPIC"]
FLAGS += ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
SOURCE = [FOLDER / "launch.cpp", "-include", FOLDER / "cuda_on_cpu.h", "-I", FOLDER, "-I", FOLDER.parents[3]]

Argument = np.ndarray | np.generic | int | float
Run = Callable[..., None]


class _Index(ctypes.Structure):
    _fields_ = [(axis, ctypes.c_uint) for axis in "xyz"]


def compile_for_cpu(output: Path, *more: str | Path) -> Path:
    """A library of the kernels and of what else g++ is told to compile; the test is skipped where there is no g++."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++ on this machine: the CUDA arithmetic is not tested")
    subprocess.run([compiler, *FLAGS, *SOURCE, *more, "-o", output], check=True)
    return output


def runner(library: Path) -> Run:
    """``run(kernel, *arguments, width, height, images)``, the sizes as in `Launch.grid`.

    Arrays go by pointer; scalars by value: int as int32, float as float32, NumPy's in their own type.
    ``only_last_block`` leaves the other blocks out.
    """
    launch = ctypes.CDLL(str(library)).launch
    launch.argtypes = [ctypes.c_char_p, _Index, _Index, _Index, ctypes.POINTER(ctypes.c_void_p)]

    def run_kernel(
        name: str, *arguments: Argument, width: int, height: int = 1, images: int = 1, only_last_block: bool = False
    ) -> None:
        values = [_by_value(argument) for argument in arguments]
        pointers = (ctypes.c_void_p * len(values))(*(value.ctypes.data for value in values))
        grid = LAUNCHES[name].grid(width, height, images)
        first = [blocks - 1 for blocks in grid] if only_last_block else [0, 0, 0]
        block = _Index(*LAUNCHES[name].block, 1)
        assert launch(name.encode(), _Index(*first), _Index(*grid), block, pointers) == 0

    return run_kernel


def _by_value(argument: Argument) -> np.ndarray:
    if isinstance(argument, np.generic):
        return np.array(argument)
    if isinstance(argument, int):
        return np.array(argument, np.int32)
    if isinstance(argument, float):
        return np.array(argument, np.float32)
    assert argument.flags.c_contiguous
    return np.array(argument.ctypes.data, np.uint64)
