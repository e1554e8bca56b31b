"""The CUDA driver through pycuda (https://documen.tician.de/pycuda)."""

import atexit
import contextlib
import ctypes
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serve.engines.cuda_driver import LIBRARY, MAPPED, NON_BLOCKING_STREAM, Buffer, Memory, Shape
from serve.engines.protocol import DeviceError, no_memory


class PyCudaDriver:
    """The first GPU; see `serve.engines.cuda_driver.CudaDriver`. ``cuda`` is the module `pycuda.driver`."""

    def __init__(self, cuda: Any) -> None:
        self.runtime = f"pycuda {version('pycuda')}"
        self._cuda = cuda
        with self._errors():
            cuda.init()
            device = cuda.Device(0)
            self._context = device.retain_primary_context()
            self._shares_memory = bool(device.get_attribute(cuda.device_attribute.INTEGRATED))
        with self.current():
            self._stream = cuda.Stream(NON_BLOCKING_STREAM)
            self.stream: int = self._stream.handle
        atexit.register(self._detach)  # or pycuda warns, at the end of a process that has not closed it

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        with self._errors():
            self._context.push()
            try:
                yield
            finally:
                self._cuda.Context.pop()

    def buffer(self, shape: Shape) -> Buffer:
        with self._errors():
            return _SharedBuffer(self._cuda, shape) if self._shares_memory else _Buffer(self._cuda, shape)

    def memory(self, size: int) -> Memory:
        with self._errors():
            return _Memory(self._cuda, size)

    def upload(self, buffer: Buffer) -> None:
        if self._shares_memory:
            return
        with self._errors():
            self._cuda.memcpy_htod_async(buffer.address, buffer.host, self._stream)

    def download(self, buffer: Buffer) -> None:
        if self._shares_memory:
            return
        with self._errors():
            self._cuda.memcpy_dtoh_async(buffer.host, buffer.address, self._stream)

    def synchronize(self) -> None:
        with self._errors():
            self._stream.synchronize()

    def close(self) -> None:
        atexit.unregister(self._detach)
        with self.current():
            del self._stream
        self._detach()

    def _detach(self) -> None:
        self._context.detach()
        # To detach a context pycuda makes it the current one, and leaves it so if it is the primary one.
        ctypes.CDLL(LIBRARY).cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._cuda.MemoryError as error:
            raise no_memory(error) from None
        except self._cuda.Error as error:
            raise DeviceError.of(error) from None


class _Memory:
    def __init__(self, cuda: Any, size: int) -> None:
        self._device = cuda.mem_alloc(size)
        self.address = int(self._device)

    def free(self) -> None:
        self._device.free()


class _Buffer(_Memory):
    def __init__(self, cuda: Any, shape: Shape) -> None:
        self.host: NDArray[np.uint8] = cuda.pagelocked_empty(shape, np.uint8)
        self._pinned: Any = self.host.base
        try:
            super().__init__(cuda, self.host.nbytes)
        except Exception:
            self._pinned.free()
            raise

    def free(self) -> None:
        super().free()
        self._pinned.free()


class _SharedBuffer:
    """Memory of the host that the device works in."""

    def __init__(self, cuda: Any, shape: Shape) -> None:
        self.host: NDArray[np.uint8] = cuda.pagelocked_empty(shape, np.uint8, mem_flags=MAPPED)
        self._pinned: Any = self.host.base
        self.address = int(self._pinned.get_device_pointer())

    def free(self) -> None:
        self._pinned.free()
