"""The knee of a load curve: where more load begins to cost more in latency than it brings in throughput."""

from collections.abc import Sequence

from serve.benchmark.point import LoadPoint

RULE = "largest throughput / p50 (Kleinrock's power)"


def knee(points: Sequence[LoadPoint]) -> LoadPoint | None:
    """The point of largest power, throughput / latency; None if fewer than three points have answers.

    L. Kleinrock, "Power and deterministic rules of thumb for probabilistic problems in computer communications",
    ICC 1979. A point at which more than one request in a hundred failed is no candidate.
    """
    answered = [point for point in points if point.p50_ms and point.throughput]
    candidates = [point for point in answered if point.error_share <= 0.01]
    if len(answered) < 3 or not candidates:
        return None
    return max(candidates, key=lambda point: point.throughput / (point.p50_ms or 1.0))
