"""What a board says of itself."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BoardState:
    """At one moment."""

    power_w: float
    temperature_c: float | None
    """Of the GPU, or of the hottest part of a module; None where the board does not say."""
    clock_mhz: float | None
    """Of the GPU; None where the board does not say."""
    power_mode: str | None = None
    """Of a Jetson, as nvpmodel names it; None where it is not to be seen."""


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
