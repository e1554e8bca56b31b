"""The GPU that this process would run on, asked of the CUDA driver itself (no torch)."""

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path

_DRIVER = "libcuda.so.1"
_KERNEL_MODULE = Path("/proc/driver/nvidia/version")
# CUdevice_attribute in cuda.h
_MAJOR, _MINOR = 75, 76


@dataclass(frozen=True)
class Gpu:
    """What a plan is bound to, TensorRT's version apart."""

    name: str
    sm: str
    """Compute capability without its dot, e.g. ``"87"``."""
    cuda: str
    """Newest CUDA that the driver runs."""
    driver: str | None


def this_gpu(library: str = _DRIVER, kernel_module: Path = _KERNEL_MODULE) -> Gpu | None:
    """The first GPU that CUDA_VISIBLE_DEVICES leaves visible, or None where there is no driver or no GPU."""
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return None
    device = ctypes.c_int()
    if driver.cuInit(0) or driver.cuDeviceGet(ctypes.byref(device), 0):
        return None
    name = ctypes.create_string_buffer(256)
    driver.cuDeviceGetName(name, len(name), device)
    major, minor, version = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    driver.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
    driver.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    driver.cuDriverGetVersion(ctypes.byref(version))
    return Gpu(
        name=name.value.decode(),
        sm=f"{major.value}{minor.value}",
        cuda=f"{version.value // 1000}.{version.value % 1000 // 10}",
        driver=_driver_version(kernel_module),
    )


def _driver_version(kernel_module: Path) -> str | None:
    try:
        text = kernel_module.read_text(encoding="utf-8")
    except OSError:
        return None
    found = re.search(r"Kernel Module.*?\s(\d+\.[\d.]+)\s", text)
    return found[1] if found else None
