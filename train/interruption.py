"""SIGTERM and SIGINT (Ctrl-C) in a training: the running step is finished and saved (no torch)."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
    """The training was asked to stop and has saved its state. The message is one line: where, and how to go on.

    Entry points print it and exit with what a shell reports of a program that the signal ended.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + number
        """143 for SIGTERM, 130 for SIGINT."""


class Interruption:
    """Notes the first signal, inside of the context; a second one ends the process at once."""

    def __init__(self) -> None:
        self.number: int | None = None
        """Of the signal that came; None: go on."""
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
        self.number = number
        name = signal.Signals(number).name
        # Not print: the signal may have come in the middle of one.
        os.write(2, f"{name}: stopping after this step; a second signal ends at once\n".encode())
        for other in _SIGNALS:
            signal.signal(other, signal.SIG_DFL)


def leave_signals_to_the_parent() -> None:
    """In a process that works for a training: Ctrl-C and a job's end reach it too, and the last step needs it yet."""
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
