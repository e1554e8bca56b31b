"""The part of TensorRT's Python API that is used here, so that it can be checked against each version (no torch).

Each protocol has the name of the class it stands for. A protocol that is asked for with `isinstance` is of something
that not every version has.
"""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

Shape = tuple[int, ...]


class ILogger(Protocol):
    """Takes messages: to be subclassed with ``log(severity, message)``."""

    ERROR: Any


class IProgressMonitor(Protocol):
    """Is told how far a build is: to be subclassed."""

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None: ...

    def step_complete(self, phase_name: str, step: int) -> bool: ...

    def phase_finish(self, phase_name: str) -> None: ...


class ITensor(Protocol):
    """An input or output of the network; -1 where its shape is dynamic."""

    name: str
    shape: Sequence[int]


class INetworkDefinition(Protocol):
    """The parsed graph."""

    num_inputs: int

    def get_input(self, index: int) -> ITensor: ...


class ParserError(Protocol):
    """One thing that the parser could not take."""

    def desc(self) -> str: ...

    def node_name(self) -> str: ...

    def node_operator(self) -> str: ...


class OnnxParser(Protocol):
    """ONNX to network."""

    num_errors: int

    def parse_from_file(self, model: str) -> bool: ...

    def get_error(self, index: int) -> ParserError: ...


class IOptimizationProfile(Protocol):
    """Shapes that the plan takes."""

    def set_shape(self, input: str, min: Shape, opt: Shape, max: Shape) -> None: ...


class IHostMemory(Protocol):
    """Bytes of TensorRT's own; a buffer."""

    nbytes: int

    def __buffer__(self, flags: int, /) -> memoryview: ...


class ITimingCache(Protocol):
    """Measured times of tactics."""

    def combine(self, input_cache: "ITimingCache", ignore_mismatch: bool) -> bool: ...

    def serialize(self) -> IHostMemory: ...


class IBuilderConfig(Protocol):
    """How to build."""

    progress_monitor: Any
    profiling_verbosity: Any
    default_device_type: Any
    DLA_core: int

    def set_flag(self, flag: Any) -> None: ...

    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None: ...

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int: ...

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None: ...

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool: ...

    def get_timing_cache(self) -> ITimingCache | None: ...


@runtime_checkable
class TakesComputeCapabilities(Protocol):
    """An `IBuilderConfig` of TensorRT for RTX."""

    num_compute_capabilities: int

    def set_compute_capability(self, compute_capability: Any, index: int) -> bool: ...


class Builder(Protocol):
    """Network and configuration to plan."""

    num_DLA_cores: int

    def create_network(self, flags: int) -> INetworkDefinition: ...

    def create_builder_config(self) -> IBuilderConfig: ...

    def create_optimization_profile(self) -> IOptimizationProfile: ...

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None: ...


class EngineInspector(Protocol):
    """What became of the layers."""

    def get_engine_information(self, format: Any) -> str: ...


class IExecutionContext(Protocol):
    """A plan at work."""

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool: ...

    def set_input_shape(self, name: str, shape: Shape) -> bool: ...

    def get_tensor_shape(self, name: str) -> Sequence[int]: ...

    def set_tensor_address(self, name: str, memory: int) -> bool: ...

    def execute_async_v3(self, stream_handle: int) -> bool: ...


class ICudaEngine(Protocol):
    """A loaded plan."""

    def create_engine_inspector(self) -> EngineInspector: ...

    def create_execution_context(self) -> IExecutionContext: ...


class Runtime(Protocol):
    """Loads plans."""

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None: ...


class NetworkDefinitionCreationFlag(Protocol):
    STRONGLY_TYPED: int


class BuilderFlag(Protocol):
    GPU_FALLBACK: Any


class DeviceType(Protocol):
    DLA: Any


class MemoryPoolType(Protocol):
    WORKSPACE: Any


class ProfilingVerbosity(Protocol):
    DETAILED: Any


class LayerInformationFormat(Protocol):
    JSON: Any
