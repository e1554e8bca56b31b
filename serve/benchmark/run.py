"""The benchmarks: of a bundle and a server of it, of a running server, of a server that speaks KServe v2."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from export.bundle import load_bundle
from serve.benchmark.connection import Target
from serve.benchmark.knee import knee
from serve.benchmark.kserve import infer_target, measure_kserve
from serve.benchmark.load import Load
from serve.benchmark.load_table import notes_on
from serve.benchmark.measurement import Measurement, Plan
from serve.benchmark.observation import Windows
from serve.benchmark.point import LoadPoint
from serve.benchmark.report import Report, machine, record_latency
from serve.benchmark.requests import engine_of, measure_requests, segment_target
from serve.benchmark.server_process import serving
from serve.benchmark.server_usage import find_server
from serve.benchmark.stages import ENGINE_AND_COPIES, measure_stages
from serve.benchmark.sweep import sweep
from serve.board.board import open_board
from serve.engines.choose import open_engine
from serve.engines.protocol import EngineName


@dataclass(frozen=True)
class Order:
    """What to measure besides one image after the other."""

    images: list[bytes]
    plan: Plan
    loads: Sequence[Load] = ()
    windows: Windows = field(default_factory=Windows)


def time_bundle(
    root: Path, order: Order, engine_name: EngineName, threads: int, server_options: Sequence[str], write: bool
) -> Report:
    """Time the stages in this process and requests to a server of the bundle; ``write`` records the inference."""
    bundle = load_bundle(root)
    engine = open_engine(bundle, engine_name, threads).engine
    stages = measure_stages(engine, bundle.manifest, order.images, order.plan)
    engine.close()
    options = ["--engine", engine.name, "--threads", str(threads), *server_options]
    with serving(root, options) as server:
        target = segment_target(server.url, order.images)
        whole, _ = measure_requests(target, order.plan, "the server a process of its own on this machine")
        points, notes = _loads(target, order, server.pid)
    if write:
        record_latency(bundle, engine, next(row for row in stages if row.stage == "inference"))
    if any(row.stage == ENGINE_AND_COPIES for row in stages):
        notes.append("engine alone: not measured here, the engine gives its answers in the host's memory")
    report = Report(
        target=bundle.manifest.name,
        device=engine.device,
        runtime=engine.runtime,
        machine=machine(),
        images=len(order.images),
        measurements=[*stages, whole],
    )
    return _with_points(report, points, notes)


def time_server(url: str, model: str | None, order: Order) -> Report:
    """Time requests to a running server, and show the stages as it timed them."""
    target = segment_target(url, order.images, model)
    whole, stages = measure_requests(target, order.plan, f"client on this machine, server {url}")
    report = _of_url(url if model is None else f"{model} at {url}", target, order, [*stages, whole])
    device, runtime = engine_of(url, model)
    return report.model_copy(update={"device": device, "runtime": runtime})


def time_kserve(url: str, model: str, order: Order) -> Report:
    """Time requests to a model of a running KServe v2 server: from the image to its class ids one after the other, and
    under load from tensor to tensor.
    """
    rows = measure_kserve(url, model, order.images, order.plan, f"client on this machine, server {url}")
    return _of_url(f"{model} at {url}", infer_target(url, model, order.images), order, rows)


def _of_url(name: str, target: Target, order: Order, rows: list[Measurement]) -> Report:
    points, notes = _loads(target, order, find_server(target.url))
    report = Report(
        target=name, device=None, runtime=None, machine=machine(), images=len(order.images), measurements=rows
    )
    return _with_points(report, points, notes)


def _loads(target: Target, order: Order, pid: int | None) -> tuple[list[LoadPoint], list[str]]:
    if not order.loads:
        return [], []
    board, about_board = open_board()
    try:
        points = sweep(target, order.loads, order.windows, pid, board)
    finally:
        if board is not None:
            board.close()
    notes = [*notes_on(points, order.windows), about_board]
    if pid is None:
        notes.append("processor time and memory of the server are not measured: it is not a process of mine here")
    return points, notes


def _with_points(report: Report, points: list[LoadPoint], notes: list[str]) -> Report:
    knees = {loop: knee([point for point in points if point.loop == loop]) for loop in ("closed", "open")}
    found = {loop: point.offered for loop, point in knees.items() if point is not None}
    return report.model_copy(update={"points": points, "knees": found, "notes": notes})
