"""When a request that failed is sent again, how long it waits before, and when that ends."""

import random
import time
from dataclasses import dataclass

from serve.client.problem import NoAnswer, ServerProblem
from train.errors import UserError

_TEMPORARY = (429, 503)
_FIRST_WAIT_S = 0.25


@dataclass(frozen=True)
class Retries:
    """The bounds of one request, all its attempts together.

    Sent again is what the server refused for now (429, 503) and what found no connection or lost it before an answer.
    The wait is what ``Retry-After`` asks for, and in any case a random part more, up to 0.25 s that double with each
    attempt ("full jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that clients
    that were refused together do not come back together.
    """

    most: int = 10
    """Attempts after the first; 0: none."""
    longest_wait_s: float = 10.0
    """Where ``Retry-After`` asks for more, the request fails at once: to come back sooner would help nobody."""
    deadline_s: float = 30.0
    """From the first attempt to the last byte of the answer, waits included, in seconds."""

    def __post_init__(self) -> None:
        if self.most < 0 or self.longest_wait_s < 0 or self.deadline_s <= 0:
            raise UserError(f"{self}: give most and longest_wait_s of at least 0, and a deadline_s above 0")


class Patience:
    """What is left of the `Retries` of a request that is under way."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._attempts = 0
        self._end = time.monotonic() + retries.deadline_s

    @property
    def left_s(self) -> float:
        """Seconds to the deadline, never less than one millisecond."""
        return max(0.001, self._end - time.monotonic())

    def check(self) -> None:
        """`NoAnswer` after the deadline."""
        if time.monotonic() > self._end:
            raise self.over()

    def over(self) -> NoAnswer:
        """What a request ends with that comes to its deadline in the middle of an attempt."""
        message = f"no whole answer within the deadline of {self._retries.deadline_s:g} s"
        return NoAnswer(message, reached=True, begun=True)

    def wait_s(self, failure: ServerProblem | NoAnswer) -> float:
        """How long to wait before the next attempt, in seconds; raises ``failure`` where there is none."""
        self._attempts += 1
        asked = _asked_s(failure)
        if asked is None or asked > self._retries.longest_wait_s or self._attempts > self._retries.most:
            raise failure
        backoff = min(_FIRST_WAIT_S * 2 ** (self._attempts - 1), self._retries.longest_wait_s)
        wait = asked + random.uniform(0, backoff)
        if wait >= self._end - time.monotonic():
            raise failure
        return wait


def _asked_s(failure: ServerProblem | NoAnswer) -> float | None:
    """The least wait; None: never again."""
    if isinstance(failure, NoAnswer):
        return None if failure.begun else 0.0
    return (failure.retry_after_s or 0.0) if failure.status in _TEMPORARY else None
