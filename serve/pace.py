"""How fast the server gets through its work, to tell a client at once that its turn would come too late."""

import time

_WEIGHT = 0.1  # of the newest interval: some ten images until a change of pace is seen


class Pace:
    """The mean time between two finished images while others wait."""

    def __init__(self) -> None:
        self._interval_s = 0.0
        self._last: float | None = None

    def finished(self, waiting: int) -> None:
        """An image is done and ``waiting`` others are not."""
        now = time.monotonic()
        if self._last is not None:
            self._interval_s += _WEIGHT * (now - self._last - self._interval_s)
        self._last = now if waiting else None  # the time until the next image comes is nobody's work

    def estimate_s(self, waiting: int) -> float:
        """Until the last of ``waiting`` images would be done."""
        return waiting * self._interval_s
