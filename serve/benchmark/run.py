"""The two benchmarks: of a bundle in this process, of a running server."""

from pathlib import Path

from export.bundle import load_bundle
from serve.benchmark.kserve import measure_kserve
from serve.benchmark.measurement import Plan
from serve.benchmark.report import Report, machine, record_latency
from serve.benchmark.requests import measure_requests, serving
from serve.benchmark.stages import measure_stages
from serve.engine import Device, OnnxRuntimeEngine
from serve.limits import Limits
from serve.pipeline import Pipeline
from serve.service import Service


def time_bundle(
    root: Path, images: list[bytes], plan: Plan, limits: Limits, device: Device, threads: int, write: bool
) -> Report:
    """Time the stages in this process and whole requests to a server in it; ``write`` records the inference."""
    bundle = load_bundle(root)
    engine = OnnxRuntimeEngine(bundle, device, threads)
    pipeline = Pipeline(engine, bundle.manifest, limits.max_pixels)
    pipeline.warm_up()
    stages = measure_stages(pipeline, images, plan)
    with serving(Service(pipeline, limits)) as url:
        whole, _ = measure_requests(url, images, plan, "client and server in this one process")
    if write:
        record_latency(bundle, engine, next(row for row in stages if row.stage == "inference"))
    return Report(
        target=bundle.manifest.name,
        device=engine.device,
        runtime=engine.runtime,
        machine=machine(),
        images=len(images),
        measurements=[*stages, whole],
    )


def time_server(url: str, images: list[bytes], plan: Plan) -> Report:
    """Time whole requests to a running server, and show the stages as it timed them."""
    whole, stages = measure_requests(url, images, plan, f"client on this machine, server {url}")
    return Report(
        target=url, device=None, runtime=None, machine=machine(), images=len(images), measurements=[*stages, whole]
    )


def time_kserve(url: str, model: str, images: list[bytes], plan: Plan) -> Report:
    """Time requests to a model of a running KServe v2 server, from the image to its class ids."""
    rows = measure_kserve(url, model, images, plan, f"client on this machine, server {url}")
    return Report(
        target=f"{model} at {url}", device=None, runtime=None, machine=machine(), images=len(images), measurements=rows
    )
