"""What runs the network, whatever its library."""

from collections.abc import Callable
from typing import Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from export.manifest import Precision
from train.errors import UserError

EngineName = Literal["auto", "onnxruntime", "onnxruntime-cuda", "openvino", "tensorrt", "kserve"]


Logits: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""RGB ``(N, h, w, 3)`` to logits ``(N, C, h / s, w / s)``."""


class DeviceError(UserError):
    """The device is lost, and every further inference on it: the server has to stop being ready."""

    @classmethod
    def of(cls, reason: object) -> "DeviceError":
        """With what the library says, in one line."""
        return cls(f"the GPU is lost ({' '.join(str(reason).split())}): start the server again")


class NotNow(UserError):
    """An inference that cannot be had at this moment, through no fault of its image; others may go well."""


class NoMemory(NotNow):
    """A batch that does not fit beside what the device holds; it goes on with others."""


class Outputs(NamedTuple):
    """The answer to a batch, at the network's size. The arrays are the caller's own."""

    ids: NDArray[np.uint8]
    """Class ids ``(N, h, w)``."""
    confidence: NDArray[np.uint8] | None
    """``(N, h, w)``, 255 times the softmax probability of the class given; None where it was not asked for."""


class Engine(Protocol):
    """A loaded network. `infer` may be called from several threads at once."""

    name: str
    """As `EngineName`, never ``auto``."""
    role: str
    """The file of the bundle, as the manifest names it."""
    runtime: str
    """Library and version, for the record of a measurement."""
    device: str
    threads: int
    """Threads that compute one inference on the CPU."""
    precision: Precision
    largest_batch: int | None
    """Images of one inference at most; None: any number."""
    prepares_shapes: bool
    """Whether the first batch of a size takes much longer than the next one."""

    @property
    def logits(self) -> Logits | None:
        """As `infer`, up to the logits before the upsampling; None: they cannot be had."""
        ...

    def infer(self, images: NDArray[np.uint8], confidence: bool = False) -> Outputs:
        """RGB ``(N, h, w, 3)`` to class ids.

        Raises:
            UserError: the file gives no confidence, or takes no images of that shape.
            DeviceError: the device does not answer any more.
        """
        ...

    def close(self) -> None:
        """Free what it holds; no `infer` may run or follow."""
        ...


def no_confidence(root: object) -> UserError:
    """The error of a confidence that is asked of files without."""
    return UserError(f"{root}: the bundle gives no confidence: export it with `python -m export.onnx … --confidence`")


def no_memory(reason: object) -> NoMemory:
    """What the device's own error says, in one line."""
    return NoMemory(f"no memory left on the GPU ({reason}): serve smaller batches, or fewer bundles")
