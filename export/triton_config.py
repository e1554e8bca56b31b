"""A file of the bundle as a model of NVIDIA Triton Inference Server: its ``config.pbtxt`` (no torch).

https://github.com/triton-inference-server/common/blob/main/protobuf/model_config.proto
"""

from dataclasses import dataclass
from typing import Any

from export.bundle import Bundle, BundleError
from export.manifest import FileRecord, InputSpec, PlanTarget
from export.text_format import Message, Symbol
from train.errors import UserError

LABELS = "labels.txt"

_BACKENDS = {"onnxruntime": ("onnxruntime", "model.onnx"), "tensorrt": ("tensorrt", "model.plan")}
_DEFAULT_MAX_BATCH = 8


@dataclass(frozen=True)
class Serving:
    """What is decided where a model is served."""

    role: str
    name: str
    max_batch: int | None = None
    """Images that the server may put together; None: `_DEFAULT_MAX_BATCH`, or the most that a plan takes."""
    queue_delay_us: int = 0
    instances: int = 1
    device: str = "auto"
    threads: int | None = None


def model_file_name(record: FileRecord) -> str:
    """What Triton's backend for this file calls it. `UserError` if there is no such backend."""
    if record.runtime not in _BACKENDS:
        raise UserError(
            f"{record.path}: Triton has no backend for {record.runtime}: choose --role onnx, or a plan built with "
            "`python -m export.trt BUNDLE --flavour tensorrt`"
        )
    if record.logits is not None:
        raise UserError(f"{record.path}: gives bare logits, and Triton has no kernel for the rest: choose a whole plan")
    return _BACKENDS[record.runtime][1]


def model_config(bundle: Bundle, serving: Serving) -> Message:
    """The fields of ``ModelConfig``.

    Pictures go through the network at the manifest's size, the one it is proven at. A graph or plan that takes one
    picture at a time has its batch dimension among the others, and no dynamic batching.

    Raises:
        BundleError: the bundle has no such file, or the plan does not take the manifest's size.
        UserError: Triton has no backend for it, or it does not take batches this large.
    """
    record, spec = bundle.record(serving.role), bundle.manifest.input
    file_name = model_file_name(record)
    batch = _max_batch(bundle, record, serving)
    config: dict[str, Any] = {
        "name": serving.name,
        "backend": _BACKENDS[record.runtime][0],
        "default_model_filename": file_name,
        "max_batch_size": batch,
        "version_policy": {"latest": {"num_versions": 1}},
        "input": [_tensor(spec.name, "TYPE_UINT8", _shape(batch, spec.height, spec.width, 3))],
        "output": _outputs(bundle, batch),
        "instance_group": [_instances(bundle, record, serving)],
        "model_warmup": [_warm_up(spec, batch, count) for count in sorted({1, max(1, batch)})],
    }
    if batch:
        config["dynamic_batching"] = {"max_queue_delay_microseconds": serving.queue_delay_us}
    if serving.threads is not None:
        config["parameters"] = [{"key": "intra_op_thread_count", "value": {"string_value": str(serving.threads)}}]
    return config


def _max_batch(bundle: Bundle, record: FileRecord, serving: Serving) -> int:
    """Triton's ``max_batch_size``: 0 for a file that takes one picture at a time."""
    most = 1024 if bundle.manifest.input.dynamic_batch else 1
    wanted = serving.max_batch or min(most, _DEFAULT_MAX_BATCH)
    if record.built_for is not None:
        most = record.built_for.profiles[_profile_index(bundle, record.built_for)].max[0]
        wanted = serving.max_batch or most
    if wanted > most:
        raise UserError(f"--max-batch {wanted}: {record.path} takes up to {most}: choose less, or make another file")
    return wanted if most > 1 else 0


def _profile_index(bundle: Bundle, target: PlanTarget) -> int:
    """The profile of a plan that takes the manifest's size and most images."""
    spec = bundle.manifest.input
    fitting = [
        index
        for index, profile in enumerate(target.profiles)
        if profile.min[1] <= spec.height <= profile.max[1] and profile.min[2] <= spec.width <= profile.max[2]
    ]
    if not fitting:
        raise BundleError(f"{bundle.root}: the plan does not take {spec.height}x{spec.width}: build it with --profile")
    return max(fitting, key=lambda index: target.profiles[index].max[0])


def _shape(batch: int, *dims: int) -> list[int]:
    return list(dims) if batch else [1, *dims]


def _tensor(name: str, data_type: str, dims: list[int]) -> Message:
    return {"name": name, "data_type": Symbol(data_type), "dims": dims}


def _outputs(bundle: Bundle, batch: int) -> list[Message]:
    spec, output = bundle.manifest.input, bundle.manifest.output
    size = _shape(batch, spec.height, spec.width)
    outputs: list[Message] = [{**_tensor(output.name, "TYPE_UINT8", size), "label_filename": LABELS}]
    if output.confidence is not None:
        outputs.append(_tensor(output.confidence, "TYPE_UINT8", size))
    if output.logits is not None:
        outputs.append(_tensor(output.logits, "TYPE_FP32", _shape(batch, len(bundle.manifest.classes), -1, -1)))
    return outputs


def _instances(bundle: Bundle, record: FileRecord, serving: Serving) -> Message:
    target = record.built_for
    if target is not None and serving.device == "cpu":
        raise UserError(f"--device cpu: {record.path} is for {target.gpu or 'a GPU'}: choose --role onnx")
    kind = "gpu" if target is not None else serving.device
    group = {"count": serving.instances, "kind": Symbol(f"KIND_{kind.upper()}")}
    if target is not None and len(target.profiles) > 1:
        return {**group, "profile": [str(_profile_index(bundle, target))]}
    return group


def _warm_up(spec: InputSpec, batch: int, count: int) -> Message:
    """Two inferences of ``count`` black images: the first of each shape allocates its memory."""
    image = {
        "data_type": Symbol("TYPE_UINT8"),
        "dims": _shape(batch, spec.height, spec.width, 3),
        "zero_data": True,
    }
    return {"name": f"batch {count}", "batch_size": count, "inputs": {"key": spec.name, "value": image}, "count": 2}
