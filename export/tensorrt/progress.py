"""Show a build: it takes minutes on a Jetson and must not look hung (no torch)."""

import signal
import sys
import threading
import time
from types import TracebackType
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from export.tensorrt.flavour import TensorRt

_SECONDS_BETWEEN_LINES = 10.0


class BuildProgress:
    """The phases that TensorRT is in: nested bars in a terminal, a line every ten seconds elsewhere.

    TensorRT says how many steps a phase has, not how long they take: what can be shown is steps and time so far.
    Ctrl-C inside of the block is kept for its end: TensorRT calls from C++, through which no exception may pass.
    """

    def __init__(self, title: str) -> None:
        self.interrupted = False
        self._handler: Any = None
        self._title = title
        self._steps: dict[str, tuple[int, int]] = {}
        self._began = self._said = time.monotonic()
        self._tasks: dict[str, TaskID] = {}
        self._bar: Progress | None = None
        if sys.stdout.isatty():
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), transient=True
            )

    def __enter__(self) -> "BuildProgress":
        if threading.current_thread() is threading.main_thread():
            self._handler = signal.signal(signal.SIGINT, self._interrupt)
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        if self._handler is not None:
            signal.signal(signal.SIGINT, self._handler)
        if self.interrupted and kind is None:
            raise KeyboardInterrupt

    def _interrupt(self, *_: object) -> None:
        self.interrupted = True

    def start(self, phase: str, parent: str | None, steps: int) -> None:
        """A phase of so many steps begins, inside of ``parent``."""
        self._steps[phase] = (0, steps)
        if self._bar is not None:
            title = f"{self._title}: {phase}" if parent is None else f"  {phase}"
            self._tasks[phase] = self._bar.add_task(title, total=steps)

    def step(self, phase: str, step: int) -> None:
        """A step is done, counted from 0."""
        done, total = step + 1, self._steps[phase][1]
        self._steps[phase] = (done, total)
        if self._bar is not None:
            self._bar.update(self._tasks[phase], completed=done)
        elif time.monotonic() - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = time.monotonic()
            print(f"{self._title}: {phase} {done}/{total}, {self.seconds:.0f} s so far", flush=True)

    def finish(self, phase: str) -> None:
        """A phase ends, whether all of its steps were done or not."""
        del self._steps[phase]
        if self._bar is not None:
            self._bar.remove_task(self._tasks.pop(phase))

    @property
    def seconds(self) -> float:
        """Since the build began."""
        return time.monotonic() - self._began


def progress_monitor(trt: TensorRt, progress: BuildProgress) -> Any:
    """TensorRT's `IProgressMonitor` that shows what it is told, and ends the build at its next step after Ctrl-C."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined]  # a class of a module chosen at run time
        def __init__(self) -> None:
            super().__init__()

        def phase_start(self, phase: str, parent: str | None, steps: int) -> None:
            progress.start(phase, parent, steps)

        def step_complete(self, phase: str, step: int) -> bool:
            progress.step(phase, step)
            return not progress.interrupted

        def phase_finish(self, phase: str) -> None:
            progress.finish(phase)

    return Monitor()
