"""The library that the CUDA driver is called through: pycuda where it is installed, else cuda-bindings."""

import importlib
from types import ModuleType

from serve.engines.cuda_bindings_driver import CudaBindingsDriver
from serve.engines.cuda_driver import CudaDriver
from serve.engines.pycuda_driver import PyCudaDriver
from train.errors import UserError


def open_driver() -> CudaDriver:
    """A driver on the first GPU; `UserError` says what to install where neither library is."""
    pycuda = _module("pycuda.driver")
    if pycuda is not None:
        return PyCudaDriver(pycuda)
    bindings = _module("cuda.bindings.driver")
    if bindings is not None:
        return CudaBindingsDriver(bindings)
    raise UserError(
        "neither pycuda nor cuda-bindings is installed here: pip install "
        "'segdistill[trt]', or 'segdistill[trt-wheels]' where there is no compiler"
    )


def _module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:  # also where a library is missing that it is linked with
        return None
