"""Which engine runs a bundle here: the best of what the bundle holds and the machine has, said aloud."""

from dataclasses import dataclass

from export.bundle import Bundle
from export.manifest import DEFAULT_ROLE
from serve.engines.elastic import ElasticEngine
from serve.engines.protocol import Engine, EngineName
from serve.extras import installed
from train.errors import UserError

_FASTEST_FIRST: tuple[EngineName, ...] = ("tensorrt", "onnxruntime-cuda", "openvino", "onnxruntime")

_FP16_ROLE = "onnx_fp16"
_ABSENT = {
    "tensorrt": "the bundle has no TensorRT plan: build one here with `python -m export.trt {root} --precision fp16`",
    "openvino": "the bundle has no OpenVINO file: add one with `python -m export.openvino {root}`",
}


@dataclass(frozen=True)
class Choice:
    """An engine, and why it is not a better one."""

    engine: Engine
    passed_over: list[str]
    """One line for each better engine that was not taken, with the reason."""


def open_engine(bundle: Bundle, name: EngineName = "auto", threads: int = 1, url: str | None = None) -> Choice:
    """Load the network of a bundle; ``threads`` compute one inference where it runs on the CPU, ``url`` is for kserve.

    ``auto`` takes the first that runs of a TensorRT plan, ONNX Runtime on CUDA, OpenVINO and ONNX Runtime on the CPU,
    and of the files beside the default one only those that are proven. A file asked for by its engine's name is loaded
    unproven too.

    Raises:
        UserError: the engine asked for is not to be had; there is no fallback. Or none is, with ``auto``.
    """
    if name == "kserve":
        return Choice(_on_server(bundle, url), [])
    passed_over: list[str] = []
    for candidate in _FASTEST_FIRST if name == "auto" else (name,):
        roles = _roles(bundle, candidate)
        if not roles:
            passed_over.append(f"{candidate}: {_ABSENT[candidate].format(root=bundle.root)}")
        for role in roles:
            try:
                if name == "auto":
                    _check_proven(bundle, role)
                return Choice(_open(candidate, bundle, role, threads), passed_over)
            except UserError as error:
                passed_over.append(f"{candidate}, file '{role}': {error}")
    raise UserError("; ".join(passed_over))


def _roles(bundle: Bundle, engine: EngineName) -> list[str]:
    """The files that an engine could run, the one to try first at the front."""
    files = bundle.manifest.files
    if engine == "onnxruntime":
        return [DEFAULT_ROLE]
    if engine == "onnxruntime-cuda":
        has_fp16 = _FP16_ROLE in files and files[_FP16_ROLE].verified
        return [_FP16_ROLE if has_fp16 else DEFAULT_ROLE]
    roles = [role for role, record in files.items() if record.runtime.startswith(engine)]
    # A plan of bare logits writes none of full size, and somebody has asked for it.
    return sorted(roles, key=lambda each: (not files[each].verified, not files[each].logits, files[each].size_bytes))


def _check_proven(bundle: Bundle, role: str) -> None:
    if role != DEFAULT_ROLE and not bundle.record(role).verified:
        raise UserError(f"not verified: `python -m export.verify {bundle.root} --role {role}`, or ask for it by name")


def _on_server(bundle: Bundle, url: str | None) -> Engine:
    if url is None:
        raise UserError("--engine kserve: which server? give --kserve-url http://HOST:8000")
    with installed():
        from serve.engines.kserve import KServeEngine
    return KServeEngine(bundle, url)


def _open(engine: EngineName, bundle: Bundle, role: str, threads: int) -> Engine:
    if engine == "tensorrt":
        from serve.engines.tensorrt import TensorRtEngine

        return TensorRtEngine(bundle, role)
    if engine == "openvino":
        from serve.engines.openvino import OpenVinoEngine

        return OpenVinoEngine(bundle, role, threads)
    with installed():
        from serve.engines.onnx_runtime import OnnxRuntimeEngine
    if engine == "onnxruntime-cuda":
        return OnnxRuntimeEngine(bundle, role, device="cuda")
    lone = OnnxRuntimeEngine(bundle, role, threads)
    return ElasticEngine(lone, OnnxRuntimeEngine(bundle, role)) if threads > 1 else lone
