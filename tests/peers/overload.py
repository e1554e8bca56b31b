"""Twice the capacity, for a minute: who is answered in time, who is refused how fast, and what is left afterwards."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serve.benchmark.load import OK, ClosedLoop, Exchange, OpenLoop
from serve.benchmark.server_usage import server_usage
from tests.peers.levels import measure, target
from tests.peers.servers import Server

_CLIENTS = 8
_FULL_SPEED = 0.9
_STEP_S = 0.5
_AFTERWARDS_S = 6.0


@dataclass(frozen=True)
class Overload:
    """Of one server."""

    seconds: float
    capacity: float
    """Answers a second at 8 clients, before."""
    offered: float
    accepted: float
    """Answers a second while twice the capacity was offered."""
    accepted_p99_ms: float
    refused: float
    """503 a second."""
    refused_p99_ms: float | None
    client_late_p99_ms: float
    """How much later than due the requests left this program: contained in the other times."""
    failed: dict[str, int]
    """Anything else, by kind."""
    memory_mib: list[float]
    """Resident, second by second."""
    memory_slope: float
    """MiB a minute, over the second half."""
    full_speed_after_s: float | None
    """Until 9/10 of the capacity were reached again; None: not within 6 s."""


def overload(server: Server, images: Sequence[bytes], seconds: float) -> Overload:
    """Measure the capacity, offer twice of it, and look how the server recovers."""
    capacity = measure(server, images, _CLIENTS, min(6.0, seconds)).throughput
    flood, afterwards, stopped_at, memory = asyncio.run(_run(server, images, 2 * capacity, seconds))
    accepted = [exchange for exchange in flood if exchange.outcome == OK]
    refused = [exchange for exchange in flood if exchange.outcome == "503"]
    half = memory[len(memory) // 2 :]
    return Overload(
        seconds=seconds,
        capacity=capacity,
        offered=2 * capacity,
        accepted=len(accepted) / seconds,
        accepted_p99_ms=_p99(accepted) or float("inf"),
        refused=len(refused) / seconds,
        refused_p99_ms=_p99(refused),
        client_late_p99_ms=float(np.percentile([(one.sent - one.due) * 1e3 for one in flood], 99)),
        failed=dict(Counter(one.outcome for one in flood if one.outcome not in (OK, "503"))),
        memory_mib=[round(value, 1) for value in memory],
        memory_slope=float(np.polyfit(range(len(half)), half, 1)[0]) * 60 if len(half) > 1 else 0.0,
        full_speed_after_s=_recovered(afterwards, stopped_at, capacity),
    )


async def _run(
    server: Server, images: Sequence[bytes], rate: float, seconds: float
) -> tuple[list[Exchange], list[Exchange], float, list[float]]:
    flood: list[Exchange] = []
    afterwards: list[Exchange] = []
    flood_ends, all_ends = asyncio.Event(), asyncio.Event()
    where = target(server, images)
    flooding = asyncio.create_task(OpenLoop(rate).offer(where, flood.append, flood_ends))
    memory = []
    for _ in range(round(seconds)):
        await asyncio.sleep(1)
        memory.append(server_usage(server.pid).memory_bytes / 2**20)
    flood_ends.set()
    stopped_at = time.perf_counter()
    following = asyncio.create_task(ClosedLoop(_CLIENTS).offer(where, afterwards.append, all_ends))
    await asyncio.sleep(_AFTERWARDS_S)
    all_ends.set()
    await asyncio.gather(flooding, following)
    return flood, [*afterwards, *flood], stopped_at, memory


def _p99(exchanges: Sequence[Exchange]) -> float | None:
    return float(np.percentile([exchange.latency_ms for exchange in exchanges], 99)) if exchanges else None


def _recovered(exchanges: Sequence[Exchange], since: float, capacity: float) -> float | None:
    """The end of the first half second that answered at nine tenths of the capacity, and so did the one after it."""
    ended = [exchange.ended - since for exchange in exchanges if exchange.outcome == OK]
    counts, edges = np.histogram(ended, np.arange(0, _AFTERWARDS_S + 1e-9, _STEP_S))
    fast = counts >= _FULL_SPEED * capacity * _STEP_S
    both = np.flatnonzero(fast[:-1] & fast[1:])
    return float(edges[both[0] + 1]) if both.size else None
