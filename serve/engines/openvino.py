"""OpenVINO on the CPU."""

import threading
from collections import OrderedDict, deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.bundle import Bundle, BundleError
from export.openvino_session import compile_file, load_openvino
from serve.engines.protocol import Outputs, no_confidence
from train.errors import UserError

MOST_COMPILED = 32
"""Batch shapes, with and without confidence, that are kept ready. Each has its own copy of the weights."""


class OpenVinoEngine:
    """A bundle's OpenVINO file, compiled for each batch shape when it first comes; threads have requests of their own.

    Raises:
        BundleError: OpenVINO cannot load the file.
        UserError: OpenVINO is not installed.
    """

    name = "openvino"
    device = "cpu"
    prepares_shapes = True
    logits = None

    def __init__(self, bundle: Bundle, role: str, threads: int = 1) -> None:
        library, record, spec = load_openvino(), bundle.record(role), bundle.manifest.input
        self.role, self.precision, self.threads = role, record.precision, threads
        self.runtime = f"openvino {library.__version__.split('-')[0]}"
        self.largest_batch = None if spec.dynamic_batch else 1
        self._core = library.Core()
        self._root, self._path, self._output = bundle.root, bundle.file(role), bundle.manifest.output
        self._compiled: OrderedDict[tuple[int, ...], _Requests] = OrderedDict()
        self._compiling = threading.Lock()
        try:
            self._requests((1, spec.height, spec.width, 3), confidence=False)
        except UserError as error:
            raise BundleError(f"{self._path}: {error}: make it again with `python -m export.openvino`") from None

    def infer(self, images: NDArray[np.uint8], confidence: bool = False) -> Outputs:
        """RGB ``(N, h, w, 3)`` to class ids."""
        if confidence and self._output.confidence is None:
            raise no_confidence(self._root)
        outputs = self._requests(images.shape, confidence).infer(images)
        return Outputs(outputs[0], outputs[1] if confidence else None)

    def close(self) -> None:
        """Free the compiled networks."""
        self._compiled.clear()

    def _requests(self, shape: tuple[int, ...], confidence: bool) -> "_Requests":
        key = (*shape, int(confidence))
        with self._compiling:
            if key not in self._compiled:
                self._compiled[key] = self._compile(shape, confidence)
            self._compiled.move_to_end(key)
            while len(self._compiled) > MOST_COMPILED:
                self._compiled.popitem(last=False)
            return self._compiled[key]

    def _compile(self, shape: tuple[int, ...], confidence: bool) -> "_Requests":
        names = [self._output.name]
        if confidence and self._output.confidence is not None:
            names.append(self._output.confidence)
        try:
            return _Requests(compile_file(self._core, self._path, shape, names, self.threads))
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[-1]
            raise UserError(f"OpenVINO cannot run it for images of {shape} ({reason})") from None


class _Requests:
    """Inferences of one compiled network: as many at once as there are threads that ask."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._idle: deque[Any] = deque()

    def infer(self, images: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
        """Copies of the outputs, in their order."""
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        outputs = request.infer([images])
        self._idle.append(request)
        return [np.array(outputs[port]) for port in self._compiled.outputs]
