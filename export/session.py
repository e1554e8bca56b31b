"""ONNX Runtime sessions as every part of the project opens them (no torch)."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import onnxruntime

NO_CONFIGURATION: Mapping[str, str] = MappingProxyType({})


def open_session(
    model: Path | bytes, threads: int, providers: list[str], configuration: Mapping[str, str] = NO_CONFIGURATION
) -> Any:
    """All graph optimisations; nodes one after the other, each on ``threads`` CPU threads.

    ``configuration`` is of ONNX Runtime's session configuration keys: what `FileRecord.session` records.
    """
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is wrong is in the exception too; warnings of optimisation say nothing
    for key, value in configuration.items():
        options.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(model, options, providers=providers)
