"""OpenVINO on the CPU, behind the interface of every other runtime (no torch)."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.manifest import Manifest
from export.runner import NotHere


def openvino() -> Any:
    """The library, imported when it is needed.

    Raises:
        NotHere: it is not installed.
    """
    # Its import sends an event to its maker. With this module out of reach it takes a stub of its own that sends none.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino as library
    except ImportError:
        raise NotHere("openvino is not installed here: pip install 'segdistill[openvino]'") from None
    return library


class OpenVinoRunner:
    """IR or an ONNX graph, compiled anew for each shape that comes: as a graph of open shape it is slower.

    Everything that is not INT8 computes in float32. Left to itself OpenVINO takes bfloat16 where the processor has it,
    and what was verified on one machine would not be what runs on the next.
    """

    def __init__(self, path: Path, manifest: Manifest, threads: int) -> None:
        library = openvino()
        self.runtime = f"openvino {library.__version__.split('-')[0]}, cpu"
        self._core = library.Core()
        self._path = path
        self._names = manifest.output.names
        self._settings = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._requests: dict[tuple[int, ...], Any] = {}

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """RGB ``(N, H, W, 3)`` to the graph's outputs by name."""
        if images.shape not in self._requests:
            self._requests[images.shape] = self._compile(images.shape)
        outputs = self._requests[images.shape].infer([images])
        return {name: np.array(outputs[name]) for name in self._names}

    def logits(self, images: NDArray[np.uint8]) -> None:
        """None: IR shows what the graph gives, and nothing between."""

    def _compile(self, shape: tuple[int, ...]) -> Any:
        model = self._core.read_model(self._path)
        model.reshape(list(shape))
        return self._core.compile_model(model, "CPU", self._settings).create_infer_request()
