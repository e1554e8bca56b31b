"""A measured time: of what, of how many samples, and its percentiles."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console
from rich.progress import track

WHOLE_REQUEST = "whole request"


@dataclass(frozen=True)
class Plan:
    """How often to measure."""

    warmup: int
    samples: int
    batch: int = 1


class Measurement(BaseModel):
    """Percentiles of the samples of one stage, interpolated linearly between neighbours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage: str
    scope: str = Field(description="what was timed")
    batch: int = Field(description="images in one sample")
    threads: int | None = Field(description="CPU threads that compute the stage; null where a server does not say")
    warmup: int = Field(description="samples taken and thrown away before")
    samples: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(
        cls, stage: str, scope: str, times_ms: Sequence[float], plan: Plan, threads: int | None = 1, batch: int = 1
    ) -> "Measurement":
        """From all times of a stage, the plan's warm-up first."""
        counted = times_ms[plan.warmup :]
        p50, p90, p99, longest = (round(float(value), 3) for value in np.percentile(counted, [50, 90, 99, 100]))
        return cls(
            stage=stage,
            scope=scope,
            batch=batch,
            threads=threads,
            warmup=plan.warmup,
            samples=len(counted),
            p50_ms=p50,
            p90_ms=p90,
            p99_ms=p99,
            max_ms=longest,
        )


def repeat(title: str, plan: Plan, sample: Callable[[int], object]) -> None:
    """Call ``sample`` with 0, 1, ... for warm-up and samples; on stderr a bar in a terminal, one line elsewhere."""
    console = Console(stderr=True)
    count = plan.warmup + plan.samples
    if not console.is_terminal:
        console.print(f"{title}: {plan.warmup} to warm up, {plan.samples} samples", highlight=False)
    for index in track(range(count), title, console=console, transient=True, disable=not console.is_terminal):
        sample(index)
