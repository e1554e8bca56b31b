"""Bounds that a benchmark must keep, for continuous integration: ``--fail-over p99=50ms``."""

import argparse
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from serve.benchmark.measurement import Measurement
from serve.benchmark.point import LoadPoint

_UNITS = {"ms": 1.0, "s": 1e3, "us": 1e-3}
_LATENCIES = ("p50", "p90", "p99", "max")
_FORM = re.compile(r"(?P<name>[a-z0-9]+)=(?P<value>[0-9.]+)(?P<unit>ms|us|s|%|/s)?")


@dataclass(frozen=True)
class Bound:
    """A latency or the share of errors that must not be more, or a throughput that must not be less."""

    text: str
    name: str
    value: float
    """Milliseconds, a share 0..1, or answers a second."""

    @classmethod
    def parse(cls, text: str) -> "Bound":
        """``p50=20ms``, ``max=1s``, ``errors=1%``, ``throughput=60/s``; for `argparse`."""
        match = _FORM.fullmatch(text)
        name, unit = (match["name"], match["unit"]) if match else ("", None)
        try:
            number = float(match["value"]) if match else 0.0
        except ValueError:
            name = ""
        if name in _LATENCIES and unit in _UNITS:
            return cls(text, name, number * _UNITS[unit])
        if name == "errors" and unit == "%":
            return cls(text, name, number / 100)
        if name == "throughput" and unit in (None, "/s"):
            return cls(text, name, number)
        raise argparse.ArgumentTypeError(f"'{text}': give p50, p90, p99 or max=50ms, errors=1% or throughput=60/s")

    def broken_by(self, point: LoadPoint) -> str | None:
        """What the point has instead, in one line; None if it keeps the bound."""
        where = f"{point.offered:g} clients" if point.loop == "closed" else f"{point.offered:g} requests/s"
        if self.name == "errors":
            return self._broken(point.error_share, f"{point.error_share:.2%} at {where}")
        if self.name == "throughput":
            return self._broken(point.throughput, f"{point.throughput:.1f}/s at {where}", operator.lt)
        latency: float | None = getattr(point, f"{self.name}_ms")
        if latency is None:
            return f"{self.text}: no answer at {where}"
        return self._broken(latency, f"{latency:.2f} ms at {where}")

    def broken_by_row(self, row: Measurement) -> str | None:
        """The same of whole requests sent one after the other, which know neither errors nor a throughput."""
        if self.name not in _LATENCIES:
            return None
        latency: float = getattr(row, f"{self.name}_ms")
        return self._broken(latency, f"{latency:.2f} ms one after the other")

    def _broken(self, value: float, text: str, worse: Callable[[float, float], bool] = operator.gt) -> str | None:
        return f"{self.text}: {text}" if worse(value, self.value) else None
