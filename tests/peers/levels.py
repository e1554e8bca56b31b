"""One server at one level of load: what it gave, round after round."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serve.benchmark.connection import Target, post_message
from serve.benchmark.load import OK, ClosedLoop, Exchange
from serve.benchmark.observation import Windows, observe
from serve.benchmark.server_usage import server_usage
from serve.benchmark.stages import STAGES
from serve.timing import parse_server_timing
from tests.peers.servers import Server

LEVELS = (1, 8, 32)


@dataclass(frozen=True)
class Level:
    """A window of one round."""

    throughput: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """Processor time of the server for each answer."""
    overhead_ms: float | None
    """Median of what a whole request took beyond its stages; None where the server does not say what those took."""
    failed: int


def target(server: Server, images: Sequence[bytes]) -> Target:
    headers = {"Accept": "image/png", "Content-Type": "image/jpeg"}
    return Target(server.url, [post_message(server.url, "/segment", image, headers) for image in images])


def measure(server: Server, images: Sequence[bytes], clients: int, seconds: float) -> Level:
    """``clients`` that wait for their answers, for so long, after as long and at most a second to warm up."""
    rule = Windows(seconds=seconds, consecutive=1, most=1, warmup_s=min(1.0, seconds))
    seen = observe(ClosedLoop(clients), target(server, images), rule, lambda: server_usage(server.pid))
    answered = [exchange for exchange in seen.exchanges if exchange.outcome == OK]
    latencies = [exchange.latency_ms for exchange in answered] or [float("inf")]
    beyond = [_beyond(exchange) for exchange in answered if exchange.server_timing]
    (window,) = seen.windows
    frames = max(1.0, window.throughput * seen.seconds)
    return Level(
        throughput=window.throughput,
        p50_ms=float(np.median(latencies)),
        p99_ms=float(np.percentile(latencies, 99)),
        cpu_ms=(seen.after.cpu_s - seen.before.cpu_s) * 1e3 / frames,
        overhead_ms=float(np.median(beyond)) if beyond else None,
        failed=len(seen.exchanges) - len(answered),
    )


def _beyond(exchange: Exchange) -> float:
    """Waiting for a thread or the network counts as overhead too: alone, a request need not wait."""
    times = parse_server_timing(exchange.server_timing)
    return exchange.latency_ms - sum(times[stage] for stage in STAGES)
