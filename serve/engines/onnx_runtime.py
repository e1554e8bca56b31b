"""ONNX Runtime, on the CPU or through its CUDA provider."""

import re
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from export.bundle import Bundle, BundleError
from export.manifest import Manifest
from export.session import open_session
from serve.engines.cut_session import CutSession
from serve.engines.io_binding import BoundSession
from serve.engines.protocol import DeviceError, Outputs, no_confidence
from train.errors import UserError

Device = Literal["cpu", "cuda"]

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_NAMES = {"cpu": "onnxruntime", "cuda": "onnxruntime-cuda"}
# By default they go on spinning for a while, and take the core from whoever decodes the next image.
_WORKERS_SLEEP = {"session.force_spinning_stop": "1"}
# As ONNX Runtime words it; after running out of memory (2) the device goes on.
_DEVICE_LOST = re.compile(r"CUDA failure (?!2:)\d+|CUDNN failure|CUBLAS failure")


class OnnxRuntimeEngine:
    """A bundle's ONNX file in ONNX Runtime.

    One inference after the other runs its nodes in sequence on ``threads`` threads; inferences from several Python
    threads share those. On the CPU a graph without confidence ends in its logits, and `class_map` does the rest. On
    CUDA inputs and outputs have memory that stays, and one inference runs at a time.

    Raises:
        BundleError: the bundle has no such file, or its graph is not what the manifest says.
        UserError: ``device`` is not to be had. ONNX Runtime would fall back to the CPU in silence.
    """

    def __init__(self, bundle: Bundle, role: str, threads: int = 1, device: Device = "cpu") -> None:
        record, manifest = bundle.record(role), bundle.manifest
        self.name, self.role, self.precision = _NAMES[device], role, record.precision
        self.device, self.threads = str(device), threads
        self.runtime = f"onnxruntime {onnxruntime.__version__}"
        self.prepares_shapes = device == "cuda"  # cuDNN looks for its fastest algorithms
        self.largest_batch = None if manifest.input.dynamic_batch else 1
        path = bundle.file(role)
        configuration = {**_WORKERS_SLEEP, **record.session}
        self._session: Any = open_session(path, threads, _providers(device), configuration)
        if self._session.get_providers()[0] != _PROVIDERS[device]:
            raise _no_device(device)
        _check_graph(self._session, manifest, str(path))
        self._root = bundle.root
        self._input, self._output = manifest.input.name, manifest.output
        self._bound = BoundSession(self._session, self._input, device) if device == "cuda" else None
        self._cut = None
        if device == "cpu" and manifest.output.confidence is None:
            self._cut = CutSession.open(path, manifest.input, threads, configuration)
        if self._cut is not None:
            self._session = None  # its weights would be in memory a second time
        self.logits = None if self._cut is None else self._cut.logits

    def infer(self, images: NDArray[np.uint8], confidence: bool = False) -> Outputs:
        """RGB ``(N, h, w, 3)`` to class ids."""
        names = [self._output.name]
        if confidence:
            if self._output.confidence is None:
                raise no_confidence(self._root)
            names.append(self._output.confidence)
        try:
            ids, *rest = self._run(names, images)
        except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
            if _DEVICE_LOST.search(str(error)):
                raise DeviceError.of(error) from None
            raise
        return Outputs(ids, rest[0] if rest else None)

    def close(self) -> None:
        """Free the session."""
        self._session = self._bound = self._cut = self.logits = None

    def _run(self, names: list[str], images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        if self._cut is not None:
            return [self._cut.run(images)]
        if self._bound is not None:
            return self._bound.run(names, images)
        outputs: list[NDArray[np.uint8]] = self._session.run(names, {self._input: images})
        return outputs


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
        "[cpu], with its CUDA and cuDNN, on a host with an NVIDIA driver"
    )


def _check_graph(session: Any, manifest: Manifest, path: str) -> None:
    inputs = {node.name: (node.type, len(node.shape)) for node in session.get_inputs()}
    outputs = {node.name: (node.type, len(node.shape)) for node in session.get_outputs()}
    expected = [(inputs, manifest.input.name, 4), (outputs, manifest.output.name, 3)]
    if manifest.output.confidence is not None:
        expected.append((outputs, manifest.output.confidence, 3))
    for names, name, rank in expected:
        if names.get(name) != ("tensor(uint8)", rank):
            raise BundleError(
                f"{path}: the graph has no uint8 '{name}' of {rank} dimensions, as the manifest says: export it again"
            )
