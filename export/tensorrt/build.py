"""From an ONNX file to a plan: the one builder for TensorRT 10, 11 and TensorRT for RTX (no torch)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from export.manifest import Profile
from export.tensorrt import api
from export.tensorrt.compute_capability import set_compute_capabilities
from export.tensorrt.dla import use_dla
from export.tensorrt.flavour import TensorRt
from export.tensorrt.layers import inspected_layers, logged_layers
from export.tensorrt.log import Log
from export.tensorrt.network import parse_onnx
from export.tensorrt.progress import BuildProgress, progress_monitor
from export.tensorrt.timing_cache import timing_cache
from train.errors import UserError


@dataclass(frozen=True)
class BuildOptions:
    """How to build."""

    profiles: list[Profile]
    sm: list[str]
    """Compute capabilities to build for, of TensorRT for RTX; empty: the library's own choice."""
    workspace_mib: int | None = None
    """Most scratch memory that a layer may use; None: all there is."""
    dla_core: int | None = None
    timing_cache: Path | None = None


@dataclass(frozen=True)
class Built:
    """A plan, byte for byte what TensorRT gives, so that trtexec and Triton load it too."""

    plan: bytes
    layers: dict[str, Any]
    loaded: bool
    """Whether it was loaded on a GPU here."""
    seconds: float


def build_plan(trt: TensorRt, onnx: Path, options: BuildOptions, title: str, runs_here: bool) -> Built:
    """Build, and load the plan once where ``runs_here``.

    Raises:
        BundleError: the parser refuses the graph.
        UserError: TensorRT cannot build with these options; the message is its first error.
    """
    log = Log(trt)
    builder = trt.Builder(log.logger)
    network = parse_onnx(trt, builder, onnx, log)
    config = _config(trt, builder, network, options)
    with BuildProgress(title) as progress:
        config.progress_monitor = progress_monitor(trt, progress)
        with timing_cache(config, options.timing_cache):
            plan = builder.build_serialized_network(network, config)
            if progress.interrupted:
                raise KeyboardInterrupt
            if plan is None:
                raise UserError(f"{onnx}: {trt.__name__} {trt.__version__} cannot build it: {log.first_error()}")
        seconds = progress.seconds
    content = bytes(plan)
    layers = _load(trt, content, onnx, log) if runs_here else logged_layers(log)
    return Built(content, layers, runs_here, seconds)


def _config(
    trt: TensorRt, builder: api.Builder, network: api.INetworkDefinition, options: BuildOptions
) -> api.IBuilderConfig:
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # without it the inspector knows names only
    if options.workspace_mib is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    if options.sm:
        set_compute_capabilities(trt, config, options.sm)
    if options.dla_core is not None:
        use_dla(trt, builder, config, options.dla_core)
    _add_profiles(builder, config, network, options.profiles)
    return config


def _add_profiles(
    builder: api.Builder, config: api.IBuilderConfig, network: api.INetworkDefinition, profiles: list[Profile]
) -> None:
    image = network.get_input(0)
    if -1 not in tuple(image.shape):
        return
    for profile in profiles:
        added = builder.create_optimization_profile()
        added.set_shape(image.name, profile.min, profile.opt, profile.max)
        config.add_optimization_profile(added)


def _load(trt: TensorRt, plan: bytes, onnx: Path, log: Log) -> dict[str, Any]:
    engine = trt.Runtime(log.logger).deserialize_cuda_engine(plan)
    if engine is None:
        raise UserError(f"{onnx}: {trt.__name__} built a plan that it cannot load here: {log.first_error()}")
    return inspected_layers(trt, engine)
