"""The TensorRT engine without a GPU: stand-ins for the CUDA driver and TensorRT, the real library in between, and the
kernels of `kernels/cuda` as g++ compiles them.

In a process of its own, as a driver that is loaded once stays.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernels.cuda.on_cpu.kernels import compile_for_cpu

ROOT = Path(__file__).parents[3]
STAND_IN = Path(__file__).parent / "stand_in"
LIBRARIES = {"pycuda": "pycuda", "cuda-bindings": "cuda"}


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A libcuda.so.1."""
    folder = tmp_path_factory.mktemp("driver")
    unused = folder / "unused.cpp"
    unused.write_text("".join(f'extern "C" int {name}() {{ return 801; }}\n' for name in names_beyond_the_stand_in()))
    more = (STAND_IN / "libcuda.cpp", unused, "-ldl", "-Wl,-soname,libcuda.so.1")
    return compile_for_cpu(folder / "libcuda.so.1", *more)


def names_beyond_the_stand_in() -> list[str]:
    """What pycuda is linked with besides: it wants all of it to load, and calls none of it here."""
    pycuda = importlib.util.find_spec("pycuda")
    if pycuda is None or pycuda.origin is None:
        return []
    binary = next(Path(pycuda.origin).parent.glob("_driver*.so"))
    symbols = subprocess.run(["nm", "-D", "--undefined-only", binary], check=True, capture_output=True, text=True)
    names = re.findall(r"\b(cu[A-Z]\w+)", symbols.stdout)
    have = set(re.findall(r"^int (cu\w+)\(", (STAND_IN / "libcuda.cpp").read_text(encoding="utf-8"), re.MULTILINE))
    return sorted(set(names) - have)


@pytest.mark.parametrize("memory", ["of its own", "the host's"])
@pytest.mark.parametrize("library", LIBRARIES)
def test_on_stand_ins(library: str, memory: str, driver: Path) -> None:
    if importlib.util.find_spec(LIBRARIES[library]) is None:
        pytest.skip(f"{library} is not installed")
    integrated = {"STAND_IN_INTEGRATED": "1"} if memory == "the host's" else {}
    paths = {"LD_PRELOAD": str(driver), "PYTHONPATH": os.pathsep.join([str(STAND_IN), str(ROOT), *sys.path])}
    checks = [STAND_IN / "engine_checks.py", STAND_IN / "logits_checks.py"]
    command = [sys.executable, "-m", "pytest", "--noconftest", "-p", "no:cacheprovider", *checks]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **paths, **integrated, "STAND_IN_LIBRARY": library},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
