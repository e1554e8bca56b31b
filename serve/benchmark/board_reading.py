"""What a board says of itself at one moment."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BoardReading:
    """Energy, clock, memory, throttling."""

    energy_j: float
    """Since some moment in the past: the difference of two readings is what was used between them."""
    clock_mhz: float | None
    """Of the GPU; None where the board does not say."""
    memory_bytes: int | None
    """In use on a GPU that has memory of its own."""
    throttled: frozenset[str]
    """Why the clock is held down right now, or has been since the reading before."""
