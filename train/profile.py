"""How a training step divides: waiting for data, teacher, student, each loss, optimiser."""

import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from rich.table import Table

from train import processes
from train.data.batches import Batch
from train.errors import UserError
from train.losses.registry import LossSum
from train.progress import progress
from train.session import Session
from train.step import begin, exchange, update
from train.views import assemble, shown, taught

STEPS = 20
_WARMUP = 3

NETWORKS = ("teacher", "student forward", "student backward")
"""What training would cost if losses were free."""


class StepTimes:
    """Milliseconds of each part of each step."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._steps: list[dict[str, float]] = []

    def next_step(self) -> None:
        """The times that follow belong to another step."""
        self._steps.append({})

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Time what runs inside."""
        began = self._now()
        yield
        self._steps[-1][name] = 1000 * (self._now() - began)

    def medians(self) -> dict[str, float]:
        """By part, without the first steps, in which memory is still being found."""
        steps = self._steps[_WARMUP:]
        return {part: statistics.median(step[part] for step in steps) for part in steps[0]}

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def profile(session: Session) -> dict[str, float]:
    """Train some steps; the median milliseconds of each part of one. A loss's part holds its way back to the taps."""
    if session.config.loop.steps < STEPS + _WARMUP:
        raise UserError(f"loop.steps: {session.config.loop.steps}: profile times {STEPS + _WARMUP} steps: give more")
    if session.config.loop.accumulate > 1:
        raise UserError("loop.accumulate: profile times steps that are not divided: add --loop.accumulate 1")
    times, batches = StepTimes(session.device), session.batches()
    for _ in progress(range(STEPS + _WARMUP), "profile", STEPS + _WARMUP):
        times.next_step()
        with times.part("data wait"):
            batch = next(batches)
        _timed_step(session, batch, times)
    return times.medians()


def table(medians: dict[str, float], losses: LossSum, batch_size: int) -> Table:
    """The parts, their shares, and what distillation adds to the networks."""
    total, networks = sum(medians.values()), sum(medians.get(part, 0.0) for part in NETWORKS)
    rows = Table(
        title=f"{STEPS} steps of {batch_size} images, medians: {1000 * batch_size / total:.1f} images/s",
        title_justify="left",
    )
    for column in ("part", "ms", "share of the step", "of the networks"):
        rows.add_column(column, justify="left" if column == "part" else "right")

    def row(name: str, value: float) -> None:
        rows.add_row(name, f"{value:.1f}", f"{value / total:.1%}", f"{value / networks:.1%}")

    for part, value in medians.items():
        row(part, value)
    row("all distillation losses", distillation(medians, losses))
    row("step", total)
    return rows


def distillation(medians: dict[str, float], losses: LossSum) -> float:
    """Milliseconds of all losses that a training from labels alone would not have."""
    return sum(medians[f"loss {key}"] for key, config in losses.configs.items() if config.name != "cross_entropy")


def _timed_step(session: Session, batch: Batch, times: StepTimes) -> None:
    """`train_step`, cut at the taps: the losses run on copies of the student's maps that end the way back."""
    state, needs = session.state, session.state.losses.needs
    begin(session)
    with session.precision.autocast():
        with times.part("teacher"):
            teacher = taught(batch, session.teaching, needs, session.teaching_context())
        with times.part("student forward"):
            student = shown(batch, session.student, needs)
        leaves = student.map(lambda found: found.detach().requires_grad_())
        seen = assemble(batch, leaves, teacher, state.model, needs)
        for key in state.losses.configs:
            with times.part(f"loss {key}"):
                terms = state.losses.terms(key, seen, state.step, session.config.loop.steps)
                state.scaler.scale(torch.stack(list(terms.values())).sum()).backward()  # type: ignore[no-untyped-call]
    with times.part("student backward"):
        pairs = list(zip(student.maps(), leaves.maps(), strict=True))
        reached = [found for found, leaf in pairs if leaf.grad is not None]
        torch.autograd.backward(reached, [leaf.grad for _, leaf in pairs if leaf.grad is not None])
    if processes.count() > 1:
        with times.part("exchange"):
            exchange(session)
    with times.part("optimiser"):
        update(session)
