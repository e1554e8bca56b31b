"""TensorRT's log: kept, to say in one line what went wrong (no torch)."""

import re
from typing import Any

from export.tensorrt.flavour import TensorRt

# Said after other errors, and always where there is no GPU.
_NOISE = "catchCudaError"
_PLACE = re.compile(r"\.? In \w+ at \S+?:\d+(?=\))")


class Log:
    """All messages of one build, and the logger that collects them."""

    def __init__(self, trt: TensorRt) -> None:
        self.messages: list[str] = []
        self.errors: list[str] = []
        self.logger = _logger(trt, self)

    def add(self, message: str, is_error: bool) -> None:
        """Keep a message."""
        self.messages.append(message)
        if is_error and _NOISE not in message:
            self.errors.append(message)

    def first_error(self) -> str:
        """In one line: what comes after it follows from it."""
        return one_line(self.errors[0]) if self.errors else "it gives no reason"


def one_line(message: str) -> str:
    """A message of TensorRT without its line ends and without the places in its source."""
    lines = (line for line in message.splitlines() if _NOISE not in line)
    return _PLACE.sub("", " ".join(" ".join(lines).split()))


def _logger(trt: TensorRt, log: Log) -> Any:
    worst = int(trt.ILogger.ERROR)

    class Logger(trt.ILogger):  # type: ignore[misc, name-defined]  # a class of a module chosen at run time
        def __init__(self) -> None:
            super().__init__()

        def log(self, severity: Any, message: str) -> None:
            log.add(message, int(severity) <= worst)

    return Logger()
