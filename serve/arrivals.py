"""Bodies that are on their way: one that comes slowly gives its place to a request that waits for none."""

import asyncio
import sys
import time
from collections.abc import Awaitable
from typing import TypeVar

from starlette.exceptions import HTTPException

from serve.problem import ProblemError

PATIENCE_S = 2.0
"""How long a body may take while others are turned away for it. Less, and clients on slow lines take each other's place
again and again; more, and a few connections that send next to nothing keep everybody out."""

T = TypeVar("T")


class Arrivals:
    """The requests whose body is being received, the oldest first. For one event loop.

    Args:
        timeout_s: how long a body may take.
        patience_s: how long it may take while others wait for its place.
    """

    def __init__(self, timeout_s: float, patience_s: float = PATIENCE_S) -> None:
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._since: dict[asyncio.Task[object], float] = {}
        self._late: set[asyncio.Task[object]] = set()

    async def receive(self, body: Awaitable[T]) -> T:
        """The body of this task's request.

        Raises:
            HTTPException: 408 it was not whole in time.
            ProblemError: 503 it was displaced before it was whole.
        """
        task = asyncio.current_task()
        assert task is not None
        self._since[task] = time.monotonic()
        # A timer costs less than `asyncio.wait_for`, which makes a task for each body.
        timer = asyncio.get_running_loop().call_later(self._timeout_s, self._expire, task)
        try:
            return await body
        except asyncio.CancelledError:
            if task in self._since:  # the server ends
                raise
            if sys.version_info >= (3, 11):
                task.uncancel()
            raise self._reason(task) from None
        finally:
            timer.cancel()
            self._since.pop(task, None)
            self._late.discard(task)

    def _expire(self, task: "asyncio.Task[object]") -> None:
        if self._since.pop(task, None) is not None:
            self._late.add(task)
            task.cancel()

    def _reason(self, task: "asyncio.Task[object]") -> HTTPException:
        if task in self._late:
            what = f"the body did not arrive within {self._timeout_s:g} s: send a smaller one"
            return HTTPException(408, what)
        what = "the server is full, and this body came slowly: try again"
        return ProblemError(503, "overloaded", what, {"Retry-After": "1"})

    def displace(self) -> bool:
        """Give up the body that has been on its way longest, if it is slow: whether there was one."""
        oldest = next(iter(self._since), None)
        if oldest is None or time.monotonic() - self._since[oldest] < self._patience_s:
            return False
        del self._since[oldest]
        return oldest.cancel()
