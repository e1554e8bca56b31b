"""The CUDA driver through NVIDIA's cuda-bindings (https://nvidia.github.io/cuda-python)."""

import contextlib
import ctypes
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serve.engines.cuda_driver import INTEGRATED, MAPPED, NON_BLOCKING_STREAM, Buffer, Memory, Shape
from serve.engines.protocol import DeviceError, no_memory


class CudaBindingsDriver:
    """The first GPU; see `serve.engines.cuda_driver.CudaDriver`. ``cuda`` is the module `cuda.bindings.driver`."""

    def __init__(self, cuda: Any) -> None:
        self.runtime = f"cuda-bindings {version('cuda-bindings')}"
        self._cuda = cuda
        self.call("cuInit", 0)
        self._device = self.call("cuDeviceGet", 0)
        self._context = self.call("cuDevicePrimaryCtxRetain", self._device)
        attribute = cuda.CUdevice_attribute(INTEGRATED)
        self._shares_memory = bool(self.call("cuDeviceGetAttribute", attribute, self._device))
        with self.current():
            self._stream = self.call("cuStreamCreate", NON_BLOCKING_STREAM)
        self.stream = int(self._stream)

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        self.call("cuCtxPushCurrent", self._context)
        try:
            yield
        finally:
            self.call("cuCtxPopCurrent")

    def buffer(self, shape: Shape) -> Buffer:
        return _SharedBuffer(self, shape) if self._shares_memory else _Buffer(self, shape)

    def memory(self, size: int) -> Memory:
        return _Memory(self, size)

    def upload(self, buffer: Buffer) -> None:
        if self._shares_memory:
            return
        host = buffer.host
        self.call("cuMemcpyHtoDAsync", buffer.address, host.ctypes.data, host.nbytes, self._stream)

    def download(self, buffer: Buffer) -> None:
        if self._shares_memory:
            return
        host = buffer.host
        self.call("cuMemcpyDtoHAsync", host.ctypes.data, buffer.address, host.nbytes, self._stream)

    def synchronize(self) -> None:
        self.call("cuStreamSynchronize", self._stream)

    def close(self) -> None:
        with self.current():
            self.call("cuStreamDestroy", self._stream)
        self.call("cuDevicePrimaryCtxRelease", self._device)

    def call(self, function: str, *arguments: Any) -> Any:
        """The one value that a function of the driver gives besides its error, if it gives one."""
        error, *values = getattr(self._cuda, function)(*arguments)
        if error == self._cuda.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            raise no_memory(error.name)
        if error != self._cuda.CUresult.CUDA_SUCCESS:
            raise DeviceError.of(f"{function}: {error.name}")
        return values[0] if values else None


class _Memory:
    def __init__(self, driver: CudaBindingsDriver, size: int) -> None:
        self._driver = driver
        self.address = int(driver.call("cuMemAlloc", size))

    def free(self) -> None:
        self._driver.call("cuMemFree", self.address)


class _Buffer(_Memory):
    def __init__(self, driver: CudaBindingsDriver, shape: Shape) -> None:
        size = int(np.prod(shape))
        self._host_address: int = driver.call("cuMemHostAlloc", size, 0)
        try:
            super().__init__(driver, size)
        except Exception:
            driver.call("cuMemFreeHost", self._host_address)
            raise
        self.host = _array(self._host_address, shape)

    def free(self) -> None:
        super().free()
        self._driver.call("cuMemFreeHost", self._host_address)


class _SharedBuffer:
    """Memory of the host that the device works in."""

    def __init__(self, driver: CudaBindingsDriver, shape: Shape) -> None:
        self._driver = driver
        self._host_address: int = driver.call("cuMemHostAlloc", int(np.prod(shape)), MAPPED)
        self.address = int(driver.call("cuMemHostGetDevicePointer", self._host_address, 0))
        self.host = _array(self._host_address, shape)

    def free(self) -> None:
        self._driver.call("cuMemFreeHost", self._host_address)


def _array(address: int, shape: Shape) -> NDArray[np.uint8]:
    memory = (ctypes.c_uint8 * int(np.prod(shape))).from_address(address)
    return np.ctypeslib.as_array(memory).reshape(shape)
