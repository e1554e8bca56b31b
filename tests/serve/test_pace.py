"""The estimate of a wait follows the pace of the work."""

import pytest

from serve import pace
from serve.pace import Pace


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 0.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(pace, "time", clock)
    return clock


def finish(pace: Pace, clock, interval_s: float, count: int, waiting: int = 1) -> None:
    for _ in range(count):
        clock.now += interval_s
        pace.finished(waiting)


def test_nothing_is_estimated_before_anything_was_done():
    assert Pace().estimate_s(1000) == 0


def test_the_estimate_is_the_pace_times_what_waits(clock):
    pace = Pace()
    finish(pace, clock, 0.02, 100)
    assert pace.estimate_s(50) == pytest.approx(1.0, rel=0.01)


def test_a_change_of_pace_is_seen(clock):
    pace = Pace()
    finish(pace, clock, 0.02, 100)
    finish(pace, clock, 0.2, 100)
    assert pace.estimate_s(1) == pytest.approx(0.2, rel=0.01)


def test_time_without_work_is_no_pace(clock):
    pace = Pace()
    finish(pace, clock, 0.02, 100)
    finish(pace, clock, 0.02, 1, waiting=0)
    clock.now += 3600
    finish(pace, clock, 0.02, 3)
    assert pace.estimate_s(1) == pytest.approx(0.02, rel=0.01)
