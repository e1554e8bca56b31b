"""Bodies that are on their way: one that comes slowly gives its place to a request that waits for none."""

import asyncio
import sys
import time
from collections.abc import Awaitable
from typing import TypeVar

from serve.problem import ProblemError

PATIENCE_S = 2.0
"""How long a body may take while others are turned away for it. Less, and clients on slow lines take each other's place
again and again; more, and a few connections that send next to nothing keep everybody out."""

T = TypeVar("T")


class Arrivals:
    """The requests whose body is being received, the oldest first. For one event loop."""

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._since: dict[asyncio.Task[object], float] = {}

    async def receive(self, body: Awaitable[T]) -> T:
        """The body of this task's request; `ProblemError` (503) if it was displaced before it was whole."""
        task = asyncio.current_task()
        assert task is not None
        self._since[task] = time.monotonic()
        try:
            return await body
        except asyncio.CancelledError:
            if task in self._since:  # the server ends
                raise
            if sys.version_info >= (3, 11):
                task.uncancel()
            what = "the server is full, and this body came slowly: try again"
            raise ProblemError(503, "overloaded", what, {"Retry-After": "1"}) from None
        finally:
            self._since.pop(task, None)

    def displace(self) -> bool:
        """Give up the body that has been on its way longest, if it is slow: whether there was one."""
        oldest = next(iter(self._since), None)
        if oldest is None or time.monotonic() - self._since[oldest] < self._patience_s:
            return False
        del self._since[oldest]
        return oldest.cancel()
