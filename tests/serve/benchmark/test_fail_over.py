"""`--fail-over`: what breaks a bound, in one line."""

import argparse

import pytest

from serve.benchmark.fail_over import Bound
from serve.benchmark.knee import knee
from serve.benchmark.point import LoadPoint


def point(offered: float = 8, throughput: float = 60.0, p50_ms: float | None = 10.0, errors: int = 0) -> LoadPoint:
    return LoadPoint(
        loop="closed",
        offered=offered,
        throughput=throughput,
        p50_ms=p50_ms,
        p90_ms=20.0,
        p99_ms=30.0,
        max_ms=40.0,
        requests=100,
        errors={"503": errors} if errors else {},
        refused_p99_ms=None,
        stages_ms={},
        stable=True,
        spread=0.05,
        windows=3,
        server_cpu_ms=None,
        server_memory_mib=None,
        energy_mj=None,
        power_w=None,
        clock_mhz=None,
        gpu_memory_mib=None,
        throttled=[],
        client_cores=0.1,
        client_late_p99_ms=0.1,
    )


@pytest.mark.parametrize(
    "text", ["p50=10ms", "p99=0.03s", "max=40000us", "errors=5%", "throughput=60/s", "throughput=60"]
)
def test_a_bound_that_is_met_to_the_point_is_kept(text: str) -> None:
    assert Bound.parse(text).broken_by(point(errors=5)) is None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("p50=9.9ms", "p50=9.9ms: 10.00 ms at 8 clients"),
        ("p99=0.029s", "p99=0.029s: 30.00 ms at 8 clients"),
        ("errors=4%", "errors=4%: 5.00% at 8 clients"),
        ("throughput=60.5/s", "throughput=60.5/s: 60.0/s at 8 clients"),
    ],
)
def test_a_bound_that_is_broken_says_by_what(text: str, line: str) -> None:
    assert Bound.parse(text).broken_by(point(errors=5)) == line


def test_no_answers_break_a_latency() -> None:
    assert Bound.parse("p50=9s").broken_by(point(p50_ms=None)) == "p50=9s: no answer at 8 clients"


@pytest.mark.parametrize(
    "text", ["p99", "p99=50", "p98=50ms", "errors=5", "throughput=5ms", "p99=..ms", "p99=-5ms", ""]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="give p50, p90, p99 or max=50ms"):
        Bound.parse(text)


def test_the_knee_is_where_throughput_over_latency_is_largest() -> None:
    curve = [point(1, 50, 20.0), point(2, 95, 21.0), point(4, 100, 40.0), point(8, 101, 80.0)]
    best = knee(curve)
    assert best is not None
    assert best.offered == 2


def test_a_level_that_fails_is_no_knee_and_two_levels_are_no_curve() -> None:
    curve = [point(1, 50, 20.0), point(2, 95, 21.0, errors=2), point(4, 100, 40.0)]
    best = knee(curve)
    assert best is not None
    assert best.offered == 1
    assert knee(curve[::2]) is None
