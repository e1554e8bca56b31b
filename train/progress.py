"""Show long work: a live bar in a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn, track

Item = TypeVar("Item")

_SECONDS_BETWEEN_LINES = 10.0


class TrainingProgress:
    """Step, rate, time left and the current value of each loss."""

    def __init__(self, title: str, start: int, total: int, batch_size: int, line_every: int) -> None:
        self._total = total
        self._batch_size = batch_size
        self._line_every = line_every
        self._first = start
        self._began = time.monotonic()
        self._bar: Progress | None = None
        if sys.stdout.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[text]}"))
            self._task = self._bar.add_task(title, completed=start, total=total, text="")
        self._title = title

    def __enter__(self) -> "TrainingProgress":
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    @property
    def samples_per_s(self) -> float:
        """Images a second since the start or the resumption, evaluation included."""
        return self._done * self._batch_size / max(1e-9, time.monotonic() - self._began)

    def update(self, step: int, terms: dict[str, float]) -> None:
        """After ``step`` finished steps."""
        self._done = step - self._first
        text = " ".join(f"{name} {value:.4f}" for name, value in terms.items())
        if self._bar is not None:
            self._bar.update(self._task, completed=step, text=f"{self.samples_per_s:.1f} img/s {text}")
        elif step % self._line_every == 0 or step == self._total:
            seconds_left = (self._total - step) * self._batch_size / self.samples_per_s
            print(
                f"{self._title} {step}/{self._total} {self.samples_per_s:.1f} img/s {_clock(seconds_left)} left {text}",
                flush=True,
            )

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        else:
            print(line, flush=True)

    _done = 0


def progress(items: Iterable[Item], title: str, total: int) -> Iterator[Item]:
    """Pass items on and show how far they are: a bar in a terminal, a line every ten seconds elsewhere."""
    if sys.stdout.isatty():
        yield from track(items, title, total)
        return
    began = said = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - said >= _SECONDS_BETWEEN_LINES:
            rate, said = done / (now - began), now
            print(f"{title} {done}/{total} {rate:.1f}/s {_clock((total - done) / rate)} left", flush=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
