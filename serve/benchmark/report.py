"""All that a benchmark found: as tables, as JSON, and the inference in the bundle's manifest."""

import platform
from pathlib import Path

from pydantic import BaseModel, Field
from rich import box
from rich.table import Table

from export.bundle import Bundle, update_file
from export.manifest import FileRecord, Latency
from serve.benchmark.console import table_console
from serve.benchmark.measurement import Measurement
from serve.benchmark.point import LoadPoint
from serve.engines.protocol import Engine
from serve.settings import available_cores


class Report(BaseModel):
    """All of a benchmark."""

    target: str = Field(description="the bundle's name, or the server's URL")
    device: str | None = Field(description="what computed the network; null where a server does not say")
    runtime: str | None = Field(description="library and version; null where a server does not say")
    machine: str = Field(description="the processor this program ran on")
    images: int = Field(description="different images, sent in turn")
    measurements: list[Measurement] = Field(description="one image after the other")
    points: list[LoadPoint] = Field(default=[], description="levels of load")
    knees: dict[str, float] = Field(default={}, description="by loop, the level at the knee of its curve")
    notes: list[str] = Field(default=[], description="what could not be measured, and what to beware of")


def machine() -> str:
    """The processor's name and the number of cores that this process may use."""
    return f"{_processor()}, {available_cores()} cores"


def show(report: Report) -> None:
    """Print the tables, and below them what each row is the time of."""
    console = table_console()
    by = f"{report.device}, {report.runtime}, " if report.device else ""
    table = Table(title=f"{report.target} ({by}{report.images} images)", title_justify="left", box=box.SIMPLE)
    table.add_column("ms", no_wrap=True)
    for column in ("p50", "p90", "p99", "max", "batch", "threads", "warm-up", "samples"):
        table.add_column(column, justify="right")
    for row in report.measurements:
        times = (f"{value:.2f}" for value in (row.p50_ms, row.p90_ms, row.p99_ms, row.max_ms))
        table.add_row(row.stage, *times, str(row.batch), str(row.threads or "-"), str(row.warmup), str(row.samples))
    console.print(table)
    for row in report.measurements:
        console.print(f"{row.stage}: {row.scope}", highlight=False, soft_wrap=True)
    for line in (f"on: {report.machine}", *report.notes):
        console.print(line, highlight=False, soft_wrap=True)


def write_json(report: Report, path: Path) -> None:
    """One JSON object."""
    path.write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")


def record_latency(bundle: Bundle, engine: Engine, inference: Measurement) -> None:
    """Put the inference into the bundle's manifest, in place of an earlier one of the same scope and runtime."""
    latency = Latency(
        scope=f"inference, {inference.scope}",
        device=f"{engine.device}: {machine()}",
        runtime=engine.runtime,
        threads=engine.threads,
        samples=inference.samples,
        p50_ms=inference.p50_ms,
        p90_ms=inference.p90_ms,
        p99_ms=inference.p99_ms,
    )

    def add(record: FileRecord) -> FileRecord:
        others = [entry for entry in record.latency if _key(entry) != _key(latency)]
        return record.model_copy(update={"latency": [*others, latency]})

    update_file(bundle.root, engine.role, bundle.record(engine.role).sha256, add)


def _key(latency: Latency) -> tuple[str, str, str, int]:
    return latency.scope, latency.device, latency.runtime, latency.threads


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
