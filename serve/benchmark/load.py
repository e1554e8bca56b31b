"""Offer load: so many clients that each wait for their answer, or so many requests a second whatever comes back."""

import asyncio
import itertools
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from serve.benchmark.connection import Connection, ExchangeError, Target

OK = "ok"
_PAUSE_S = 0.02  # before the next request of a client that got no answer, so that a dead server is not hammered


class Exchange(NamedTuple):
    """One request and what became of it; times are of `time.perf_counter`."""

    due: float
    """When it was to be sent. Latency counts from here: a request that had to wait in the client waited too."""
    sent: float
    ended: float
    outcome: str
    """``ok``, a status such as ``503``, or why there was no answer: ``timeout``, ``connection refused``, …"""
    server_timing: str

    @property
    def latency_ms(self) -> float:
        """From the moment it was due to the last byte of its answer."""
        return (self.ended - self.due) * 1e3


Record = Callable[[Exchange], None]


@dataclass(frozen=True)
class ClosedLoop:
    """``concurrency`` clients, each with a connection; each sends its next request when it has its answer."""

    concurrency: int

    async def offer(self, target: Target, record: Record, stopped: asyncio.Event) -> None:
        """Until ``stopped``, and the answers that are still to come."""
        turn = itertools.count()

        async def client() -> None:
            sender = Sender(target)
            while not stopped.is_set():
                exchange = await sender.exchange(next(turn), time.perf_counter())
                record(exchange)
                if not sender.connected:
                    await asyncio.sleep(_PAUSE_S)
            sender.close()

        await asyncio.gather(*(client() for _ in range(self.concurrency)))


@dataclass(frozen=True)
class OpenLoop:
    """``rate`` requests a second, at random moments (a Poisson process), however many are not answered yet.

    A request that finds no idle connection opens one.
    """

    rate: float
    seed: int = 0

    async def offer(self, target: Target, record: Record, stopped: asyncio.Event) -> None:
        """Until ``stopped``, and the answers that are still to come."""
        gaps = random.Random(self.seed)
        idle: list[Sender] = []
        waiting: set[asyncio.Task[None]] = set()

        async def send(turn: int, due: float) -> None:
            sender = idle.pop() if idle else Sender(target)
            record(await sender.exchange(turn, due))
            if sender.connected:
                idle.append(sender)

        due = time.perf_counter()
        for turn in itertools.count():
            due += gaps.expovariate(self.rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            if stopped.is_set():
                break
            task = asyncio.create_task(send(turn, due))
            waiting.add(task)
            task.add_done_callback(waiting.discard)
        await asyncio.gather(*waiting)
        for sender in idle:
            sender.close()


Load = ClosedLoop | OpenLoop


class Sender:
    """Sends requests one after the other, over a connection that it opens again when it was lost."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._connection: Connection | None = None

    @property
    def connected(self) -> bool:
        return self._connection is not None and self._connection.open

    async def exchange(self, turn: int, due: float) -> Exchange:
        target = self._target
        sent, timing = time.perf_counter(), ""
        try:
            if self._connection is None or not self._connection.open:
                self._connection = await target.connect()
            message = target.messages[turn % len(target.messages)]
            answer = await self._connection.request(message, target.timeout_s)
            outcome = OK if 200 <= answer.status < 300 else str(answer.status)
            timing = answer.server_timing
        except ExchangeError as error:
            outcome = str(error)
        return Exchange(due, sent, time.perf_counter(), outcome, timing)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
