"""Waiting for what a server does by itself."""

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    """Until it holds; a test that waits for longer fails."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
