"""TensorRT, or TensorRT for RTX: one of the two, imported when it is needed (no torch)."""

import importlib
from collections.abc import Callable
from typing import Any, Literal, Protocol, cast, runtime_checkable

from export.tensorrt import api
from train.errors import UserError

Flavour = Literal["tensorrt", "tensorrt_rtx"]
"""The module's name, as in a manifest."""

_HOW = {
    "tensorrt": "on a host with an NVIDIA driver: pip install 'segdistill[trt]'",
    "tensorrt_rtx": "pip install 'segdistill[rtx]'",
}


class TensorRt(Protocol):
    """The module."""

    __name__: str
    __version__: str
    ILogger: type[api.ILogger]
    IProgressMonitor: type[api.IProgressMonitor]
    NetworkDefinitionCreationFlag: api.NetworkDefinitionCreationFlag
    BuilderFlag: api.BuilderFlag
    DeviceType: api.DeviceType
    MemoryPoolType: api.MemoryPoolType
    ProfilingVerbosity: api.ProfilingVerbosity
    LayerInformationFormat: api.LayerInformationFormat

    Builder: Callable[[Any], api.Builder]
    OnnxParser: Callable[[api.INetworkDefinition, Any], api.OnnxParser]
    Runtime: Callable[[Any], api.Runtime]


@runtime_checkable
class TensorRtForOtherGpus(Protocol):
    """A module that builds for GPUs that are not here: TensorRT for RTX."""

    ComputeCapability: Any


def load_tensorrt(flavour: Flavour) -> TensorRt:
    """The module; `UserError` says what to install where it is missing."""
    try:
        return cast(TensorRt, importlib.import_module(flavour))
    except ImportError as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{flavour} is not installed here ({reason}): {_HOW[flavour]}") from None
