"""ONNX Runtime sessions as every part of the project opens them (no torch)."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnxruntime

from export.bundle import BundleError

NO_CONFIGURATION: Mapping[str, str] = MappingProxyType({})

_TOO_NEW = re.compile(r"Opset \d+|IR version: \d+, max supported IR version: \d+")


def open_session(
    model: Path | bytes, threads: int, providers: list[str], configuration: Mapping[str, str] = NO_CONFIGURATION
) -> Any:
    """All graph optimisations; nodes one after the other, each on ``threads`` CPU threads.

    ``configuration`` is of ONNX Runtime's session configuration keys: what `FileRecord.session` records.

    Raises:
        BundleError: ONNX Runtime cannot load the graph; if it is of a newer ONNX, the message says so.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is in the exception too; warnings of optimisation say nothing
    for key, value in configuration.items():
        options.add_session_config_entry(key, value)
    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # ONNX Runtime's exceptions have no common base of their own
        raise _cannot_load(model if isinstance(model, Path) else "the graph", str(error)) from None


def _cannot_load(model: Path | str, message: str) -> BundleError:
    too_new = _TOO_NEW.search(message)
    if too_new:
        return BundleError(
            f"{model}: of a newer ONNX ({too_new.group()}) than ONNX Runtime {onnxruntime.__version__} reads: "
            "update onnxruntime, or export the bundle again"
        )
    reason = message.strip().splitlines()[0]
    return BundleError(f"{model}: ONNX Runtime cannot load it ({reason}): export the bundle again")
