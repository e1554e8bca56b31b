"""What computes a file of a bundle, whatever its runtime."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from export.head import logits_tensor
from export.manifest import FileRecord, Manifest
from export.session import open_session
from train.errors import UserError


class NotHere(UserError):
    """This machine has not what the file runs on. The message is the reason."""


class Runner(Protocol):
    """A loaded model file."""

    runtime: str
    """Library, version and device, for the record of a measurement."""

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """RGB ``(N, H, W, 3)`` to the graph's outputs by name."""
        ...

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """RGB ``(N, H, W, 3)`` to low-resolution logits ``(N, C, h, w)``; None where the file does not show them."""
        ...


class OnnxRuntimeRunner:
    """A graph on the CPU. Logits are shown even where the graph does not give them, by a second session."""

    def __init__(self, path: Path, record: FileRecord, manifest: Manifest, threads: int) -> None:
        self.runtime = f"onnxruntime {onnxruntime.__version__}, cpu"
        self._input = manifest.input.name
        self._names = manifest.output.names
        self._session = open_session(path, threads, ["CPUExecutionProvider"], record.session)
        self._path, self._threads, self._configuration = path, threads, record.session
        self._logits_session: Any = None

    def run(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """RGB ``(N, H, W, 3)`` to the graph's outputs by name."""
        return dict(zip(self._names, self._session.run(self._names, {self._input: images}), strict=True))

    def logits(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """RGB ``(N, H, W, 3)`` to low-resolution logits ``(N, C, h, w)``."""
        if self._logits_session is None:
            self._logits_session = self._with_logits()
        (logits,) = self._logits_session.run(None, {self._input: images})
        return np.asarray(logits, np.float32)

    def _with_logits(self) -> Any:
        model = onnx.load(self._path)
        name = logits_tensor(model, self._path)
        del model.graph.output[:]
        model.graph.output.append(onnx.ValueInfoProto(name=name))
        return open_session(model.SerializeToString(), self._threads, ["CPUExecutionProvider"], self._configuration)


def open_runner(path: Path, record: FileRecord, manifest: Manifest, threads: int) -> Runner:
    """Load the model file ``path`` that ``record`` describes, with ``threads`` CPU threads where it runs on the CPU.

    Raises:
        NotHere: its runtime or device is not on this machine.
    """
    if record.runtime == "onnxruntime":
        return OnnxRuntimeRunner(path, record, manifest, threads)
    if record.runtime == "openvino":
        from export.openvino_runner import OpenVinoRunner  # these two are imported where there is such a file

        return OpenVinoRunner(path, manifest, threads)
    from export.logits_runner import LogitsRunner
    from export.plan_runner import PlanRunner

    return PlanRunner(path, record, manifest) if record.logits is None else LogitsRunner(path, record, manifest)
