"""Time each stage of a request in this process, with no server, and what they add up to."""

import cv2
import numpy as np

from export.manifest import Manifest
from export.preprocess import postprocess, preprocess
from serve.answers.png import indexed_png
from serve.benchmark.measurement import Measurement, Plan, repeat
from serve.engines.protocol import Engine
from serve.timing import StageTimes
from train.data.image import MAX_PIXELS, UPLOAD_FORMATS, decode_image
from train.errors import UserError

STAGES = ("decode", "preprocess", "inference", "postprocess", "encode")
"""Those that have work to do, in their order."""

ENGINE_ALONE, ENGINE_AND_COPIES = "engine alone", "engine + copies"
SUMS = {
    "+ pre- and postprocess": ("preprocess", "inference", "postprocess"),
    "+ decode and encode": STAGES,
}
"""From the engine outwards; HTTP comes on top, in the whole request."""


def measure_stages(engine: Engine, manifest: Manifest, images: list[bytes], plan: Plan) -> list[Measurement]:
    """One measurement a stage, one image after the other, and from the engine outwards what they add up to.

    Raises:
        UserError: the engine takes no such batch.
    """
    if engine.largest_batch is not None and plan.batch > engine.largest_batch:
        raise UserError(f"--batch {plan.batch}: {manifest.name} takes {engine.largest_batch} images at a time")
    cv2.setNumThreads(1)  # as the server has it
    times: list[StageTimes] = []
    repeat("stages", plan, lambda index: times.append(run_stages(engine, manifest, images[index % len(images)])))
    columns = {stage: [sample[stage] for sample in times] for stage in STAGES}
    if plan.batch > 1:
        columns["inference"] = _batched_inference(engine, manifest, images, plan)
    rows = [_stage(engine, manifest, stage, columns[stage], plan) for stage in STAGES]
    sums = {ENGINE_ALONE if engine.device == "cpu" else ENGINE_AND_COPIES: ("inference",), **SUMS}
    for name, stages in sums.items():
        column = [sum(sample[stage] for stage in stages) for sample in times]
        rows.append(Measurement.of(name, _scope_of_sum(name), column, plan, engine.threads))
    return rows


def run_stages(engine: Engine, manifest: Manifest, image: bytes) -> StageTimes:
    """What the server does with one image, and how long each stage of it took."""
    times = StageTimes()
    with times.measure("decode"):
        pixels = decode_image(image, MAX_PIXELS, UPLOAD_FORMATS).pixels
    with times.measure("preprocess"):
        batch = preprocess(pixels, manifest.input)
    with times.measure("inference"):
        ids = engine.infer(batch).ids[0]
    with times.measure("postprocess"):
        ids = postprocess(ids, pixels.shape[:2])
    with times.measure("encode"):
        indexed_png(ids, manifest.palette)
    return times


def _batched_inference(engine: Engine, manifest: Manifest, images: list[bytes], plan: Plan) -> list[float]:
    chosen = [images[index % len(images)] for index in range(plan.batch)]
    batch = np.concatenate([preprocess(decode_image(image).pixels, manifest.input) for image in chosen])
    times = StageTimes()
    column: list[float] = []

    def sample(_: int) -> None:
        with times.measure("inference"):
            engine.infer(batch)
        column.append(times["inference"])

    repeat(f"inference of {plan.batch} images", plan, sample)
    return column


def _stage(engine: Engine, manifest: Manifest, stage: str, times_ms: list[float], plan: Plan) -> Measurement:
    size = f"{manifest.input.height}x{manifest.input.width}"
    scope = {
        "decode": "the bytes of one image to upright RGB",
        "preprocess": f"one image to the network's {size} (height x width)",
        "inference": f"batch {plan.batch}, {size}, normalisation to class ids",
        "postprocess": "the class ids to the image's own size",
        "encode": "the class ids to a PNG",
    }[stage]
    if stage == "inference":
        return Measurement.of(stage, scope, times_ms, plan, engine.threads, plan.batch)
    return Measurement.of(stage, scope, times_ms, plan)


def _scope_of_sum(name: str) -> str:
    return {
        ENGINE_ALONE: "the inference of one image; the processor works in the host's memory, there are no copies",
        ENGINE_AND_COPIES: "the inference of one image, and its way to the device and back",
        "+ pre- and postprocess": "one image's pixels to its class ids at its own size",
        "+ decode and encode": "the bytes of one image to the bytes of its class map, in this process, without HTTP",
    }[name]
