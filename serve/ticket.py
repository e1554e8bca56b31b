"""Whether an image is still worth working on: somebody waits for it, and there is time left."""

import time


class Dropped(Exception):
    """The work was given up before its end: the client left, or the deadline passed."""


class Ticket:
    """One for each request, asked by its worker threads before every stage, cancelled by the event loop."""

    def __init__(self, timeout_s: float) -> None:
        self.since = time.perf_counter()
        self._deadline = time.monotonic() + timeout_s
        self._cancelled = False

    def cancel(self) -> None:
        """Nobody waits any more."""
        self._cancelled = True

    @property
    def valid(self) -> bool:
        """Whether the work is still wanted."""
        return not self._cancelled and time.monotonic() < self._deadline

    @property
    def remaining_s(self) -> float:
        """Until the deadline, at least 0."""
        return max(0.0, self._deadline - time.monotonic())

    def check(self) -> None:
        """`Dropped` unless the work is still wanted."""
        if not self.valid:
            raise Dropped
