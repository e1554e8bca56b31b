"""What serving needs of the CUDA driver: memory, copies and one stream."""

from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
INTEGRATED, MAPPED = 18, 2
"""CU_DEVICE_ATTRIBUTE_INTEGRATED and CU_MEMHOSTALLOC_DEVICEMAP in cuda.h."""
LIBRARY = "libcuda.so.1"
"""The driver itself, for the few functions that the libraries on top of it do not have."""
NON_BLOCKING_STREAM = 1
"""CU_STREAM_NON_BLOCKING in cuda.h: no waiting for the stream that libraries use when they are given none."""


class Memory(Protocol):
    """Of the device."""

    address: int

    def free(self) -> None: ...


class Buffer(Memory, Protocol):
    """Page-locked memory of the host, and as much of the device.

    On a device that shares the host's memory, as a Jetson does, the two are one, and nothing is copied
    (https://docs.nvidia.com/cuda/cuda-for-tegra-appnote, "pinned memory": Orin's caches are coherent).
    """

    host: NDArray[np.uint8]


class CudaDriver(Protocol):
    """The first GPU, and one stream on it. All but `current` is called within it.

    Every method raises `serve.engines.protocol.DeviceError` where the driver reports an error, and `UserError` where
    there is no memory left.
    """

    runtime: str
    """Library and version."""
    stream: int
    """The handle that TensorRT takes."""

    def current(self) -> AbstractContextManager[None]:
        """Make the device's primary context, which TensorRT uses as well, the current one of this thread."""
        ...

    def buffer(self, shape: Shape) -> Buffer:
        """Memory for bytes of a shape."""
        ...

    def memory(self, size: int) -> Memory:
        """As many bytes of the device alone."""
        ...

    def upload(self, buffer: Buffer) -> None:
        """Host to device, in the stream."""
        ...

    def download(self, buffer: Buffer) -> None:
        """Device to host, in the stream."""
        ...

    def synchronize(self) -> None:
        """Wait until the stream is done."""
        ...

    def close(self) -> None:
        """Free the stream, after all buffers; outside of `current`."""
        ...
