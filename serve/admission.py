"""How much the server has taken on, and whether it takes on more."""

import math
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from serve.arrivals import Arrivals
from serve.pace import Pace
from serve.problem import Kind, ProblemError
from serve.settings import Limits

T = TypeVar("T")


class Admission:
    """Requests from their first byte, live viewers, images until they are done, answers until the client has them.

    For one event loop; `done` may be called from any thread. ``refused`` is told the kind of each refusal.
    """

    def __init__(self, limits: Limits, refused: Callable[[str], None]) -> None:
        self.requests = 0
        self.images = 0
        self.streams = 0
        self.unsent_bytes = 0
        self._limits = limits
        self._refused = refused
        self._arrivals = Arrivals(limits.upload_timeout_s)
        self._pace = Pace()
        self._lock = Lock()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Around a request from before its body is read to its answer; `ProblemError` (503) if there is no room."""
        self._check_wait(1)
        if self.unsent_bytes > self._limits.max_unsent_bytes:
            raise self.refusal("overloaded", f"{self.unsent_bytes} bytes of answers wait for clients to read them")
        if self.requests >= self._limits.max_concurrency and not self._arrivals.displace():
            raise self.refusal("overloaded", f"{self.requests} requests are being worked on, the limit")
        self.requests += 1
        try:
            yield
        finally:
            self.requests -= 1

    @contextmanager
    def stream(self) -> Iterator[None]:
        """Around a live viewer's connection; `ProblemError` (503) if there is no room."""
        if self.streams >= self._limits.max_live:
            raise self.refusal("overloaded", f"{self.streams} live viewers are connected, the limit")
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    @contextmanager
    def unsent(self, size: int) -> Iterator[None]:
        """Around the sending of an answer of so many bytes."""
        self.unsent_bytes += size
        try:
            yield
        finally:
            self.unsent_bytes -= size

    async def body(self, reading: Awaitable[T]) -> T:
        """The body of a request; `HTTPException` if it came too slowly, or slowly and another one needed its place."""
        return await self._arrivals.receive(reading)

    def take(self, images: int) -> None:
        """So many images have arrived; `ProblemError` (503) if the last of them would be done too late."""
        self._check_wait(images)
        self.join(images)

    def join(self, images: int) -> None:
        """So many more images, of a stream that was let in as a whole; from any thread."""
        with self._lock:
            self.images += images

    def done(self, worked: bool) -> None:
        """An image is off the hands of the server; ``worked``: not because it was given up."""
        with self._lock:
            self.images -= 1
            if worked or not self.images:
                self._pace.finished(self.images)

    def refusal(self, kind: Kind, reason: str, retry_s: float = 1.0) -> ProblemError:
        """The 503 to raise, counted."""
        self._refused(kind)
        return ProblemError(503, kind, f"{reason}: try again", {"Retry-After": str(math.ceil(retry_s))})

    def _check_wait(self, images: int) -> None:
        wait_s = self._pace.estimate_s(self.images + images)
        if self.images and wait_s > self._limits.deadline_s:
            raise self.refusal("overloaded", f"an answer would take {wait_s:.1f} s by now", wait_s)
