"""The GPU is what the CUDA driver says; where there is none, there is none."""

import shutil
import subprocess
from pathlib import Path

import pytest

from export.tensorrt.gpu import Gpu, this_gpu

# The five functions of the CUDA driver that are asked, for a machine with one Orin.
DRIVER = """
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGet(int *device, int ordinal) { *device = 7; return 0; }
int cuDeviceGetName(char *name, int size, int device) { strncpy(name, "Orin", size); return device != 7; }
int cuDeviceGetAttribute(int *value, int which, int device) { *value = which == 75 ? 8 : 7; return device != 7; }
int cuDriverGetVersion(int *version) { *version = 12060; return 0; }
"""
KERNEL_MODULE = "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  540.4.0  Release Build\nGCC version: 12\n"


@pytest.fixture
def driver(tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A CUDA driver whose ``cuInit`` returns the parameter."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    (tmp_path / "driver.c").write_text(DRIVER)
    library = tmp_path / "libcuda.so.1"
    command = ["cc", "-shared", "-fPIC", f"-DINIT={request.param}", tmp_path / "driver.c", "-o", library]
    subprocess.run(command, check=True)
    return str(library)


@pytest.mark.parametrize("driver", [0], indirect=True)
def test_what_the_driver_says(driver: str, tmp_path: Path) -> None:
    (tmp_path / "version").write_text(KERNEL_MODULE)
    assert this_gpu(driver, tmp_path / "version") == Gpu(name="Orin", sm="87", cuda="12.6", driver="540.4.0")
    assert this_gpu(driver, tmp_path / "absent") == Gpu(name="Orin", sm="87", cuda="12.6", driver=None)


@pytest.mark.parametrize("driver", [100], indirect=True)  # CUDA_ERROR_NO_DEVICE
def test_a_driver_without_a_device(driver: str) -> None:
    assert this_gpu(driver) is None


def test_no_driver(tmp_path: Path) -> None:
    assert this_gpu(str(tmp_path / "libcuda.so.1")) is None
