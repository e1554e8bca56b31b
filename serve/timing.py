"""How long each stage of a request took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

STAGES = ("decode", "preprocess", "queue", "inference", "postprocess", "encode")
"""The stages of a request, in their order."""


class StageTimes(dict[str, float]):
    """Milliseconds by stage."""

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        """Record the wall-clock time of the block under ``stage``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self[stage] = (time.perf_counter() - start) * 1e3

    def header(self) -> str:
        """The value of a ``Server-Timing`` header (https://www.w3.org/TR/server-timing/), durations in milliseconds."""
        return ", ".join(f"{stage};dur={duration:.3f}" for stage, duration in self.items())


def parse_server_timing(header: str) -> StageTimes:
    """The inverse of `StageTimes.header`; entries without a duration are left out."""
    times = StageTimes()
    for entry in header.split(","):
        stage, *parameters = (part.strip() for part in entry.split(";"))
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key == "dur":
                times[stage] = float(value)
    return times
