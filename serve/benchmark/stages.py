"""Time each stage of a request in this process, with no server."""

import numpy as np

from export.preprocess import preprocess
from serve.answers.media import encode_class_map
from serve.benchmark.measurement import Measurement, Plan, repeat
from serve.pipeline import Pipeline
from serve.timing import STAGES, StageTimes
from train.data.image import decode_image
from train.errors import UserError


def measure_stages(pipeline: Pipeline, images: list[bytes], plan: Plan) -> list[Measurement]:
    """One measurement a stage, one image after the other; inference in batches of ``plan.batch``."""
    _check_batch(pipeline, plan.batch)
    times: list[StageTimes] = []
    repeat("stages", plan, lambda index: times.append(_stages(pipeline, images[index % len(images)])))
    columns = {stage: [sample[stage] for sample in times] for stage in STAGES}
    if plan.batch > 1:
        columns["inference"] = _batched_inference(pipeline, images, plan)
    return [_measurement(pipeline, stage, columns[stage], plan) for stage in STAGES]


def _check_batch(pipeline: Pipeline, batch: int) -> None:
    if batch > 1 and not pipeline.manifest.input.dynamic_batch:
        raise UserError(f"--batch {batch}: the graph of {pipeline.manifest.name} takes one image at a time")


def _stages(pipeline: Pipeline, image: bytes) -> StageTimes:
    return pipeline.answer(image, encode_class_map).times


def _batched_inference(pipeline: Pipeline, images: list[bytes], plan: Plan) -> list[float]:
    spec = pipeline.manifest.input
    chosen = [images[index % len(images)] for index in range(plan.batch)]
    batch = np.concatenate([preprocess(decode_image(image).pixels, spec) for image in chosen])
    times = StageTimes()
    column: list[float] = []

    def sample(_: int) -> None:
        with times.measure("inference"):
            pipeline.engine.infer(batch)
        column.append(times["inference"])

    repeat(f"inference of {plan.batch} images", plan, sample)
    return column


def _measurement(pipeline: Pipeline, stage: str, times_ms: list[float], plan: Plan) -> Measurement:
    spec, engine = pipeline.manifest.input, pipeline.engine
    scope = {
        "decode": "the bytes of one image to upright RGB",
        "preprocess": f"one image to the network's {spec.height}x{spec.width} (height x width)",
        "inference": f"batch {plan.batch}, {spec.height}x{spec.width}, normalisation to class ids",
        "postprocess": "the class ids to the image's own size",
        "encode": "the class ids to a PNG",
    }[stage]
    if stage == "inference":
        return Measurement.of(stage, scope, times_ms, plan, engine.threads, plan.batch)
    return Measurement.of(stage, scope, times_ms, plan)
