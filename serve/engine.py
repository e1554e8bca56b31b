"""What runs the network: one small protocol, and ONNX Runtime behind it."""

from typing import Any, Literal, Protocol

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.bundle import Bundle, BundleError
from export.manifest import DEFAULT_ROLE, Manifest
from export.session import open_session
from train.errors import UserError

Device = Literal["cpu", "cuda"]

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class Engine(Protocol):
    """A loaded network. `infer` may be called from several threads at once."""

    runtime: str
    """Library and version, for the record of a measurement."""
    device: str
    threads: int
    """Threads that compute one inference on the CPU."""

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB ``(N, h, w, 3)`` to class ids ``(N, h, w)``."""
        ...


class OnnxRuntimeEngine:
    """A bundle's ONNX file in ONNX Runtime.

    Graph optimisations are all on. One inference after the other runs its nodes in sequence on ``threads`` threads;
    inferences from several Python threads share those.

    Raises:
        BundleError: the bundle has no ONNX file, or its graph is not what the manifest says.
        UserError: ``device`` is not to be had. ONNX Runtime would fall back to the CPU in silence.
    """

    def __init__(self, bundle: Bundle, device: Device = "cpu", threads: int = 1) -> None:
        self.threads = threads
        self.device: str = device
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        path = bundle.file(DEFAULT_ROLE)
        providers = _providers(device)
        self._session = open_session(path, threads, providers, bundle.record(DEFAULT_ROLE).session)
        if self._session.get_providers()[0] != _PROVIDERS[device]:
            raise _no_device(device)
        _check_graph(self._session, bundle.manifest, str(path))
        self._input = bundle.manifest.input.name
        self._output = bundle.manifest.output.name

    def infer(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB ``(N, h, w, 3)`` to class ids ``(N, h, w)``."""
        (ids,) = self._session.run([self._output], {self._input: images})
        return np.asarray(ids, np.uint8)


def _providers(device: Device) -> list[str]:
    if _PROVIDERS[device] not in onnxruntime.get_available_providers():
        raise _no_device(device)
    if device == "cuda":
        onnxruntime.preload_dlls()  # finds the CUDA libraries of pip's nvidia-* wheels
        return [_PROVIDERS["cuda"], _PROVIDERS["cpu"]]
    return [_PROVIDERS["cpu"]]


def _no_device(device: Device) -> UserError:
    return UserError(
        f"ONNX Runtime {onnxruntime.__version__} cannot use '{device}' here: install segdistill[serve,gpu] without "
        "[cpu], with its CUDA and cuDNN, on a host with an NVIDIA driver; or run with --device cpu"
    )


def _check_graph(session: Any, manifest: Manifest, path: str) -> None:
    inputs = {node.name: (node.type, len(node.shape)) for node in session.get_inputs()}
    outputs = {node.name: (node.type, len(node.shape)) for node in session.get_outputs()}
    for names, name, rank in ((inputs, manifest.input.name, 4), (outputs, manifest.output.name, 3)):
        if names.get(name) != ("tensor(uint8)", rank):
            raise BundleError(
                f"{path}: the graph has no uint8 '{name}' of {rank} dimensions, as the manifest says: export it again"
            )
