"""Watch a load in windows of time until it is steady, and keep what came back in the steady ones."""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from serve.benchmark.connection import Target
from serve.benchmark.load import OK, Exchange, Load

Reading = TypeVar("Reading")


@dataclass(frozen=True)
class Windows:
    """When a load counts as steady: ``consecutive`` windows in a row, each of whose throughput and p99 lies within
    ``tolerance`` of their mean. After ``most`` windows the last ones are taken as they are, and called not stable.
    """

    seconds: float = 4.0
    consecutive: int = 3
    tolerance: float = 0.10
    most: int = 10
    warmup_s: float = 1.0


@dataclass(frozen=True)
class Window:
    """A stretch of time."""

    began: float
    ended: float
    throughput: float
    """Answers that were asked for, a second."""
    p99_ms: float
    """Of the same; NaN without one."""


@dataclass(frozen=True)
class Observation(Generic[Reading]):
    """The windows that count, the last ones."""

    windows: list[Window]
    exchanges: list[Exchange]
    """Those that were due in these windows, with their answers, however late."""
    stable: bool
    spread: float
    """The largest distance of a window's throughput or p99 from the mean, as a share of it."""
    watched: int
    """Windows altogether."""
    client_cpu_s: float
    """Processor time of this program in the windows that count."""
    before: Reading
    after: Reading
    """What ``read`` gave at the two ends of the windows that count."""

    @property
    def seconds(self) -> float:
        """Length of the windows that count."""
        return self.windows[-1].ended - self.windows[0].began


def observe(load: Load, target: Target, windows: Windows, read: Callable[[], Reading]) -> Observation[Reading]:
    """Offer ``load`` to ``target`` until it is steady; ``read`` is called at the ends of the windows."""
    gc.collect()
    gc.disable()  # its pauses would be the server's latency
    try:
        return asyncio.run(_observe(load, target, windows, read))
    finally:
        gc.enable()


async def _observe(load: Load, target: Target, rule: Windows, read: Callable[[], Reading]) -> Observation[Reading]:
    exchanges: list[Exchange] = []
    stopped = asyncio.Event()
    offering = asyncio.create_task(load.offer(target, exchanges.append, stopped))
    await _unless_it_ends(offering, rule.warmup_s)
    seen: list[Window] = []
    readings, cpu = [read()], [time.process_time()]
    began = time.perf_counter()
    first = 0
    while len(seen) < rule.most and not _steady(seen, rule):
        first = max(0, len(exchanges))
        await _unless_it_ends(offering, rule.seconds)
        ended = time.perf_counter()
        seen.append(_window(exchanges[first:], began, ended))
        began = ended
        readings.append(read())
        cpu.append(time.process_time())
    stopped.set()
    await offering
    count = min(rule.consecutive, len(seen))
    counted = seen[-count:]
    return Observation(
        windows=counted,
        exchanges=[one for one in exchanges if counted[0].began <= one.due < counted[-1].ended],
        stable=_steady(seen, rule),
        spread=_spread(counted),
        watched=len(seen),
        client_cpu_s=cpu[-1] - cpu[-1 - count],
        before=readings[-1 - count],
        after=readings[-1],
    )


async def _unless_it_ends(offering: "asyncio.Task[None]", seconds: float) -> None:
    """Wait, or fail as the load failed."""
    done, _ = await asyncio.wait({offering}, timeout=seconds)
    for task in done:
        task.result()


def _window(exchanges: Sequence[Exchange], began: float, ended: float) -> Window:
    latencies = [exchange.latency_ms for exchange in exchanges if exchange.outcome == OK]
    p99 = float(np.percentile(latencies, 99)) if latencies else float("nan")
    return Window(began, ended, len(latencies) / (ended - began), p99)


def _steady(seen: Sequence[Window], rule: Windows) -> bool:
    return len(seen) >= rule.consecutive and _spread(seen[-rule.consecutive :]) <= rule.tolerance


def _spread(windows: Sequence[Window]) -> float:
    """NaN, which is above any tolerance, where a window has no answer."""
    columns = np.array([[window.throughput, window.p99_ms] for window in windows])
    means = columns.mean(axis=0)
    return float((np.abs(columns - means) / np.where(means > 0, means, 1)).max())
