"""OpenVINO on the CPU, behind the interface of every other runtime (no torch)."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.manifest import Manifest
from export.openvino_session import compile_file, load_openvino
from export.runner import NotHere
from train.errors import UserError


def openvino() -> Any:
    """The library, imported when it is needed.

    Raises:
        NotHere: it is not installed.
    """
    try:
        return load_openvino()
    except UserError as error:
        raise NotHere(str(error)) from None


class OpenVinoRunner:
    """IR or an ONNX graph, compiled anew for each shape that comes."""

    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        library = openvino()
        self.runtime = f"openvino {library.__version__.split('-')[0]}, cpu"
        self._core = library.Core()
        self._path, self._threads = path, threads
        self._names = manifest.output.names
        self._requests: dict[tuple[int, ...], Any] = {}

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """RGB ``(N, H, W, 3)`` to the graph's outputs by name."""
        if images.shape not in self._requests:
            compiled = compile_file(self._core, self._path, images.shape, self._names, self._threads)
            self._requests[images.shape] = compiled.create_infer_request()
        outputs = self._requests[images.shape].infer([images])
        return {name: np.array(outputs[name]) for name in self._names}

    def logits(self, images: NDArray[np.uint8]) -> None:
        """None: IR shows what the graph gives, and nothing between."""
