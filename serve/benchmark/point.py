"""What one level of load gave: a row of the sweep's table."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from serve.benchmark.load import OK, ClosedLoop, Exchange, Load
from serve.benchmark.observation import Observation
from serve.benchmark.server_usage import ServerUsage
from serve.board.reading import BoardReading
from serve.timing import parse_server_timing

_BUSY_CLIENT = 0.8  # of one core: an event loop that works more than that is late
_LATE_SHARE = 0.1  # of the median latency


@dataclass(frozen=True)
class Reading:
    """At one moment; None where it cannot be had."""

    server: ServerUsage | None
    board: BoardReading | None


class LoadPoint(BaseModel):
    """Times in milliseconds, from the moment a request was due; of answers that were wanted, if not said otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loop: Literal["closed", "open"]
    offered: float = Field(description="closed: clients, each waiting for its answer; open: requests a second")
    throughput: float = Field(description="answers a second")
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    requests: int = Field(description="sent in the windows that count")
    errors: dict[str, int] = Field(description="requests without an answer, by status or by what broke")
    refused_p99_ms: float | None = Field(description="until a 503 came; null without one")
    stages_ms: dict[str, float] = Field(description="p50 of each stage, as the server timed it (Server-Timing)")
    stable: bool = Field(description="whether the windows that count agreed")
    spread: float | None = Field(description="how far a window lay from their mean, as a share of it; null: no answers")
    windows: int = Field(description="watched before that")
    server_cpu_ms: float | None = Field(description="processor time of the server for each answer")
    server_memory_mib: float | None
    energy_mj: float | None = Field(description="millijoule of the board for each answer")
    power_w: float | None
    clock_mhz: float | None = Field(description="of the GPU, at the end")
    gpu_memory_mib: float | None
    throttled: list[str]
    client_cores: float = Field(description="processor cores that this program took")
    client_late_p99_ms: float = Field(description="how much later than due a request left this program")

    @property
    def error_share(self) -> float:
        """Of the requests, 0..1."""
        return sum(self.errors.values()) / max(1, self.requests)

    @property
    def client_is_slow(self) -> bool:
        """The client, not the server, may be what is measured."""
        return self.client_cores > _BUSY_CLIENT or self.client_late_p99_ms > max(2.0, _LATE_SHARE * (self.p50_ms or 0))


def load_point(load: Load, observation: Observation[Reading]) -> LoadPoint:
    """Sum up what was observed."""
    answered = [exchange for exchange in observation.exchanges if exchange.outcome == OK]
    latencies = [exchange.latency_ms for exchange in answered]
    p50, p90, p99, longest = percentiles(latencies, (50, 90, 99, 100))
    late = [(exchange.sent - exchange.due) * 1e3 for exchange in observation.exchanges]
    frames = sum(window.throughput * (window.ended - window.began) for window in observation.windows)
    return LoadPoint(
        loop="closed" if isinstance(load, ClosedLoop) else "open",
        offered=load.concurrency if isinstance(load, ClosedLoop) else load.rate,
        throughput=round(frames / observation.seconds, 2),
        p50_ms=p50,
        p90_ms=p90,
        p99_ms=p99,
        max_ms=longest,
        requests=len(observation.exchanges),
        errors=dict(Counter(one.outcome for one in observation.exchanges if one.outcome != OK)),
        refused_p99_ms=percentiles([one.latency_ms for one in observation.exchanges if one.outcome == "503"], (99,))[0],
        stages_ms=_stages(answered),
        stable=observation.stable,
        spread=None if np.isnan(observation.spread) else round(observation.spread, 3),
        windows=observation.watched,
        client_cores=round(observation.client_cpu_s / observation.seconds, 3),
        client_late_p99_ms=percentiles(late, (99,))[0] or 0.0,
        **_server(observation, frames),
        **_board(observation, frames),
    )


def percentiles(values: Sequence[float], wanted: Sequence[float]) -> list[float | None]:
    """Interpolated linearly between neighbours, to a microsecond; None of nothing."""
    if not values:
        return [None] * len(wanted)
    return [round(float(value), 3) for value in np.percentile(values, wanted)]


def _stages(answered: Sequence[Exchange]) -> dict[str, float]:
    columns: dict[str, list[float]] = {}
    for exchange in answered:
        for stage, duration in parse_server_timing(exchange.server_timing).items():
            columns.setdefault(stage, []).append(duration)
    return {stage: round(float(np.median(column)), 3) for stage, column in columns.items()}


def _server(observation: Observation[Reading], frames: float) -> dict[str, Any]:
    before, after = observation.before.server, observation.after.server
    if before is None or after is None:
        return {"server_cpu_ms": None, "server_memory_mib": None}
    cpu_ms = (after.cpu_s - before.cpu_s) * 1e3 / frames if frames else None
    return {
        "server_cpu_ms": None if cpu_ms is None else round(cpu_ms, 3),
        "server_memory_mib": round(after.memory_bytes / 2**20, 1),
    }


def _board(observation: Observation[Reading], frames: float) -> dict[str, Any]:
    before, after = observation.before.board, observation.after.board
    if before is None or after is None:
        absent: dict[str, Any] = dict.fromkeys(("energy_mj", "power_w", "clock_mhz", "gpu_memory_mib"))
        return {**absent, "throttled": []}
    energy_j = after.energy_j - before.energy_j
    return {
        "energy_mj": round(energy_j * 1e3 / frames, 3) if frames else None,
        "power_w": round(energy_j / observation.seconds, 2),
        "clock_mhz": after.clock_mhz,
        "gpu_memory_mib": None if after.memory_bytes is None else round(after.memory_bytes / 2**20, 1),
        "throttled": sorted(before.throttled | after.throttled),
    }
