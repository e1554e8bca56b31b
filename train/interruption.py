"""What ends a training from outside: SIGTERM, SIGINT (Ctrl-C), and workers that are killed (no torch)."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any

from train.errors import UserError

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_SAME_S = 1.0


class Interrupted(Exception):
    """The training was asked to stop and has saved its state. The message is one line: where, and how to go on.

    Entry points print it and exit with what a shell reports of a program that the signal ended.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number
        """143 for SIGTERM, 130 for SIGINT."""


class Interruption:
    """Notes the first signal, inside of the context; a second one, a second later or more, ends the process at once.

    One that comes sooner is the same once more: Ctrl-C reaches the processes of torchrun from the terminal and from
    torchrun itself.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        """Of the signal that came; None: go on."""
        self._came = 0.0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():  # others get no signals
            self._before = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self._came = number, time.monotonic()
            said = f"{signal.Signals(number).name}: stopping after this step; a second signal ends at once\n"
            os.write(2, said.encode())  # not print: the signal may have come in the middle of one
        elif time.monotonic() - self._came >= _SAME_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)


def leave_signals_to_the_parent() -> None:
    """In a process that works for a training: Ctrl-C and a job's end reach it too, and the last step needs it yet."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextlib.contextmanager
def workers_needed() -> Iterator[None]:
    """Inside, the end of a process that reads data ends the training.

    Raises:
        UserError: one was killed.
    """
    try:
        yield
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise UserError(
            "a process that reads data was killed, as a rule because memory had run out: go on with --resume and "
            "fewer loop.workers"
        ) from None
