"""CUDA graphs: what a stream was told once, told again in one call.

By the driver's own C functions (CUDA 11.4 and newer), as pycuda does not have them.
"""

import contextlib
import ctypes
from collections.abc import Callable

from serve.engines.cuda_driver import LIBRARY
from serve.engines.protocol import DeviceError
from train.errors import UserError

_OF_THIS_THREAD = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may allocate meanwhile


class CudaGraph:
    """Work that was captured from a stream; the memory it reads and writes must stay."""

    def __init__(self, driver: ctypes.CDLL, executable: ctypes.c_void_p) -> None:
        self._driver, self._executable = driver, executable

    def launch(self, stream: int) -> None:
        """Do the work again, in a stream."""
        _check("cuGraphLaunch", self._driver.cuGraphLaunch(self._executable, ctypes.c_void_p(stream)))

    def free(self) -> None:
        """No work of it may be under way."""
        self._driver.cuGraphExecDestroy(self._executable)


def capture(stream: int, work: Callable[[], None]) -> CudaGraph | None:
    """Record what ``work`` tells a stream, without doing it; None where some of it cannot be recorded."""
    driver, handle = ctypes.CDLL(LIBRARY), ctypes.c_void_p(stream)
    graph, executable = ctypes.c_void_p(), ctypes.c_void_p()
    _check("cuStreamBeginCapture", driver.cuStreamBeginCapture_v2(handle, _OF_THIS_THREAD))
    with contextlib.suppress(UserError):  # of the capture: if the device is lost, the next work says so
        work()
    if driver.cuStreamEndCapture(handle, ctypes.byref(graph)) or not graph:
        return None
    refused = driver.cuGraphInstantiateWithFlags(ctypes.byref(executable), graph, ctypes.c_ulonglong(0))
    driver.cuGraphDestroy(graph)
    return None if refused else CudaGraph(driver, executable)


def _check(function: str, error: int) -> None:
    if error:
        raise DeviceError.of(f"{function}: CUDA error {error}")
