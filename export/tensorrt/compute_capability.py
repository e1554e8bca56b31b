"""GPUs that are not here: TensorRT for RTX builds for them, TensorRT does not (no torch)."""

from typing import Any

from export.tensorrt import api
from export.tensorrt.flavour import TensorRt, TensorRtForOtherGpus
from train.errors import UserError

# Left out of a plan for no GPU in particular: with it, that of a student of 0.8 M parameters has 122 MB, not 4.4.
_TURING = "75"


def portable_sm(trt: TensorRt) -> list[str]:
    """What a plan runs on that was built for no compute capability in particular."""
    return [sm for sm in _offered(trt) if sm != _TURING]


def set_compute_capabilities(trt: TensorRt, config: api.IBuilderConfig, wanted: list[str]) -> None:
    """Build for exactly these, e.g. ``["86", "89"]``.

    Raises:
        UserError: this TensorRT builds for none, or for other ones.
    """
    offered = _offered(trt)
    missing = [sm for sm in wanted if sm not in offered]
    if missing or not isinstance(config, api.TakesComputeCapabilities):
        raise UserError(
            f"--sm {','.join(wanted)}: {trt.__name__} {trt.__version__} builds no plan for sm_{missing[0]} (it has: "
            f"{', '.join(offered)}): build on the machine itself with --flavour tensorrt"
        )
    config.num_compute_capabilities = len(wanted)
    for index, sm in enumerate(wanted):
        config.set_compute_capability(offered[sm], index)


def _offered(trt: TensorRt) -> dict[str, Any]:
    if not isinstance(trt, TensorRtForOtherGpus):
        return {}
    members = trt.ComputeCapability.__members__
    return {name.removeprefix("SM"): member for name, member in members.items() if name.startswith("SM")}
