"""A fatbin on the GPU and the launches of its kernels, by the driver's own C functions (no torch)."""

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from kernels.cuda.launch import LAUNCHES

Argument = ctypes.c_int | ctypes.c_uint64
"""A kernel's argument by value; an address of the device's memory is 64 bits."""

_DRIVER = "libcuda.so.1"
# CUresult in cuda.h, of those that a user can do something about
_REASONS = {
    200: "it is no fatbin",
    209: "it has no code for this GPU",
    218: "the driver cannot compile its PTX for this GPU",
    221: "the driver has no compiler for its PTX",
    222: "the driver is older than the CUDA that made it",
    500: "it has another version's kernels",
}


class KernelError(Exception):
    """The driver refused a fatbin or a launch; the message says why."""


class Module:
    """The kernels of one fatbin, in the context that is current; it has to be current in every call.

    Args:
        fatbin: made by `kernels.cuda.build`.
        names: of the kernels that are wanted; all of them are loaded now, so that a launch can be captured.

    Raises:
        KernelError: the fatbin is not for this GPU, this driver or this version.
    """

    def __init__(self, fatbin: Path, names: Sequence[str]) -> None:
        self._driver, self._handle = _driver(), ctypes.c_void_p()
        image = fatbin.read_bytes()
        _check(f"{fatbin}", self._driver.cuModuleLoadData(ctypes.byref(self._handle), image))
        try:
            self._functions = {name: self._function(fatbin, name) for name in names}
        except KernelError:
            self.unload()
            raise

    def launch(
        self, name: str, arguments: Sequence[Argument], stream: int, width: int, height: int = 1, images: int = 1
    ) -> None:
        """Tell ``stream`` to run a kernel over ``width``, ``height`` and ``images``, sizes as in `Launch.grid`.

        Raises:
            KernelError: the driver does not take it.
        """
        launch = LAUNCHES[name]
        addresses = (ctypes.c_void_p * len(arguments))(*(ctypes.addressof(argument) for argument in arguments))
        extents = (*launch.grid(width, height, images), *launch.block, 1)
        shared_bytes, extra = 0, None
        _check(
            name,
            self._driver.cuLaunchKernel(
                self._functions[name], *extents, shared_bytes, ctypes.c_void_p(stream), addresses, extra
            ),
        )

    def unload(self) -> None:
        """No launch may be under way or follow."""
        self._driver.cuModuleUnload(self._handle)

    def _function(self, fatbin: Path, name: str) -> ctypes.c_void_p:
        function = ctypes.c_void_p()
        error = self._driver.cuModuleGetFunction(ctypes.byref(function), self._handle, name.encode())
        _check(f"{fatbin}: {name}", error)
        return function


@cache
def _driver() -> ctypes.CDLL:
    return ctypes.CDLL(_DRIVER)


def _check(what: str, error: int) -> None:
    if error:
        reason = f"{_REASONS[error]} (CUDA error {error})" if error in _REASONS else f"CUDA error {error}"
        raise KernelError(f"{what}: {reason}")
