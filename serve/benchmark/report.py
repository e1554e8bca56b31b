"""Show measurements as a table, keep them as JSON, and record the inference in the bundle."""

import platform
from pathlib import Path

from pydantic import BaseModel, Field
from rich import box
from rich.console import Console
from rich.table import Table

from export.bundle import Bundle, update_file
from export.manifest import DEFAULT_ROLE, FileRecord, Latency
from serve.benchmark.measurement import Measurement
from serve.engine import Engine
from serve.options import available_cores


class Report(BaseModel):
    """All of a benchmark."""

    target: str = Field(description="the bundle's name, or the server's URL")
    device: str | None = Field(description="what computed the network; null where a server does not say")
    runtime: str | None = Field(description="library and version; null where a server does not say")
    machine: str = Field(description="the processor this program ran on")
    images: int = Field(description="different images, sent in turn")
    measurements: list[Measurement]


def machine() -> str:
    """The processor's name and the number of cores that this process may use."""
    return f"{_processor()}, {available_cores()} cores"


def show(report: Report) -> None:
    """Print a table, and below it what each row is the time of."""
    console = Console()
    by = f"{report.device}, {report.runtime}, " if report.device else ""
    table = Table(title=f"{report.target} ({by}{report.images} images)", title_justify="left", box=box.SIMPLE)
    table.add_column("ms", no_wrap=True)
    for column in ("p50", "p90", "p99", "batch", "threads", "warm-up", "samples"):
        table.add_column(column, justify="right")
    for row in report.measurements:
        times = (f"{value:.2f}" for value in (row.p50_ms, row.p90_ms, row.p99_ms))
        table.add_row(row.stage, *times, str(row.batch), str(row.threads or "-"), str(row.warmup), str(row.samples))
    console.print(table)
    for row in report.measurements:
        console.print(f"{row.stage}: {row.scope}", highlight=False, soft_wrap=True)
    console.print(f"on: {report.machine}", highlight=False, soft_wrap=True)


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

    update_file(bundle.root, DEFAULT_ROLE, bundle.record(DEFAULT_ROLE).sha256, add)


def _key(latency: Latency) -> tuple[str, str, str, int]:
    return latency.scope, latency.device, latency.runtime, latency.threads


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
