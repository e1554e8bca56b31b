"""Where a plan runs, and whether that is here (no torch)."""

from export.bundle import Bundle, BundleError
from export.manifest import FileRecord, PlanTarget, Profile
from export.tensorrt.compute_capability import portable_sm
from export.tensorrt.flavour import Flavour, TensorRt, load_tensorrt
from export.tensorrt.gpu import Gpu, this_gpu
from train.errors import UserError


def plan_target(trt: TensorRt, flavour: Flavour, gpu: Gpu | None, sm: list[str], profiles: list[Profile]) -> PlanTarget:
    """The target of a plan that is built here; ``sm`` as asked for, empty for no wish.

    TensorRT times its tactics on the GPU that the plan is for. TensorRT for RTX leaves that to the GPU that loads it.

    Raises:
        UserError: TensorRT has no GPU here, or another than asked for.
    """
    version = trt.__version__
    if flavour == "tensorrt_rtx":
        return PlanTarget(flavour=flavour, tensorrt=version, sm=sm or portable_sm(trt), profiles=profiles)
    if gpu is None:
        raise UserError(
            "no NVIDIA GPU here, and TensorRT builds a plan on the GPU it is for: start this there, or build with "
            "--flavour rtx"
        )
    if sm not in ([], [gpu.sm]):
        raise UserError(
            f"--sm {','.join(sm)}: this is {gpu.name} (sm_{gpu.sm}), and TensorRT builds a plan on the GPU it is for: "
            "start this there"
        )
    return PlanTarget(
        flavour=flavour,
        tensorrt=version,
        cuda=gpu.cuda,
        driver=gpu.driver,
        gpu=gpu.name,
        sm=[gpu.sm],
        profiles=profiles,
    )


def runs_on(target: PlanTarget, gpu: Gpu | None) -> bool:
    """Whether a plan for ``target`` can be loaded on this GPU."""
    return gpu is not None and gpu.sm in target.sm and target.gpu in (None, gpu.name)


def check_plan(bundle: Bundle, role: str) -> None:
    """Check, before it is loaded, that a plan is for this GPU and this TensorRT.

    Raises:
        BundleError: it is not, or the file is no plan; the message says what it was built for, what this is, and how
            to build it again.
        UserError: TensorRT is not installed here.
    """
    record = bundle.record(role)
    target = record.built_for
    if target is None:
        raise BundleError(f"{bundle.file(role)}: no TensorRT plan: build one with `python -m export.trt {bundle.root}`")
    version, gpu = load_tensorrt(target.flavour).__version__, this_gpu()
    if version != target.tensorrt or not runs_on(target, gpu):
        here = f"{gpu.name} (sm_{gpu.sm})" if gpu else "a machine with no NVIDIA GPU"
        again = rebuild_command(bundle, record)
        raise BundleError(
            f"{bundle.file(role)}: built for {_place(target)} with {target.flavour} {target.tensorrt}, but this is "
            f"{here} with {target.flavour} {version}: run it there, or build it here: `{again}`"
        )


def rebuild_command(bundle: Bundle, record: FileRecord) -> str:
    """The command that makes such a plan for the machine it is started on."""
    words = ["python -m export.trt", str(bundle.root)]
    for name, value in record.options.items():
        values = value if isinstance(value, list) else [value]
        words += [f"--{name} {each}" for each in values if name != "sm"]
    return " ".join(words)


def _place(target: PlanTarget) -> str:
    sm = " ".join(f"sm_{name}" for name in target.sm)
    return f"{target.gpu} ({sm})" if target.gpu else sm
