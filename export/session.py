"""ONNX Runtime sessions as every part of the project opens them (no torch)."""

from pathlib import Path
from typing import Any

import onnxruntime


def open_session(model: Path | bytes, threads: int, providers: list[str]) -> Any:
    """All graph optimisations; nodes one after the other, each on ``threads`` CPU threads."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors: warnings of graph optimisation say nothing to who runs a model
    return onnxruntime.InferenceSession(model, options, providers=providers)
