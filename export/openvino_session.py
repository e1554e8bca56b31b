"""OpenVINO as every part of the project uses it (no torch)."""

import sys
from pathlib import Path
from typing import Any

from train.errors import UserError


def load_openvino() -> Any:
    """The library, imported when it is needed; `UserError` says what to install where it is missing."""
    # Its import sends an event to its maker. With this module out of reach it takes a stub of its own that sends none.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        raise UserError("openvino is not installed here: pip install 'segdistill[openvino]'") from None
    return openvino


def compile_file(core: Any, path: Path, shape: tuple[int, ...], outputs: list[str], threads: int) -> Any:
    """IR or an ONNX graph for one shape ``(N, H, W, 3)``, which is faster than a graph of open shape, on the CPU.

    What only other outputs need is left out. Everything that is not INT8 computes in float32. Left to itself OpenVINO
    takes bfloat16 where the processor has it, and what was verified on one machine would not be what runs on the next.
    """
    model = core.read_model(path)
    results = [model.output(name).get_node() for name in outputs]
    wanted = load_openvino().Model(results, model.get_parameters(), model.get_friendly_name())
    wanted.reshape(list(shape))
    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    return core.compile_model(wanted, "CPU", settings)
