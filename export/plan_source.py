"""The graph that a plan is built from: one of the bundle's, or that up to its logits (no torch)."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kernels.cuda.upsample_argmax import Dtype
from train.errors import UserError


@dataclass(frozen=True)
class PlanSource:
    """A file of the bundle, whole or cut."""

    path: Path
    logits: Dtype | None = None
    """Type of the logits that it ends in; None: it is whole."""
    model: Any = None
    """The `onnx.ModelProto` that ends so."""

    @classmethod
    def of(cls, path: Path, outputs: str) -> "PlanSource":
        """The graph ``path`` with ``outputs``, "mask" or "logits".

        Raises:
            UserError: logits are asked for, and `onnx` is not installed.
            BundleError: the graph does not end in an upsampling that the kernel does.
        """
        if outputs == "mask":
            return cls(path)
        try:
            import onnx

            from export.logits_graph import cut_at_logits
        except ImportError as error:
            raise UserError(f"--outputs logits: {error}: pip install onnx") from None
        model, dtype = cut_at_logits(onnx.load(path), path)
        return cls(path, dtype, model)

    @contextlib.contextmanager
    def file(self) -> Iterator[Path]:
        """The graph as a file, as long as it is needed."""
        if self.model is None:
            yield self.path
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.path.name
            path.write_bytes(self.model.SerializeToString())
            yield path
