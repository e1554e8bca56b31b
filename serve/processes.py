"""Several worker processes on one listening socket, under a parent that keeps up their number."""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Protocol

from train.errors import UserError

_LONGEST_WAIT_S = 30.0
_FIRST_WAIT_S = 0.25
_SETTLED_S = 60.0  # a process that lived this long starts again without a wait that its predecessors earned
_READY = b"\0"

_log = logging.getLogger(__name__)


class Work(Protocol):
    """What a worker process does: serve on ``listener`` until SIGTERM, call ``ready`` once it takes requests.

    It is pickled, so it is a function of a module, or a `functools.partial` of one. It should not accept a connection
    before it is ready, since the other processes are.
    """

    def __call__(self, listener: socket.socket, ready: Callable[[], None]) -> None: ...


@dataclass
class _Worker:
    process: SpawnProcess
    messages: Connection
    started: float = field(default_factory=time.monotonic)
    error: str = ""
    ready: bool = False


class Processes:
    """``count`` processes that do ``work``, each a fresh interpreter: nothing is forked after threads have begun.

    A process that dies is replaced, at once the first time, then after a wait that doubles up to 30 seconds.
    ``forget`` is told the id of each process that has ended.
    """

    def __init__(
        self, work: Work, count: int, listener: socket.socket, grace_s: float, forget: Callable[[int], None]
    ) -> None:
        self._work = work
        self._count = count
        self._listener = listener
        self._grace_s = grace_s
        self._forget = forget
        self._workers: dict[int, _Worker] = {}  # by place
        self._due: dict[int, float] = {}
        self._failures = dict.fromkeys(range(count), 0)
        self._settled: set[int] = set()  # places whose process has been ready at least once

    def run(self) -> bool:
        """Work until SIGTERM or SIGINT, then let the workers finish for ``grace_s``: whether all of them did.

        Raises:
            UserError: a process ended before it was ever ready; the others have been ended, too.
        """
        with _signals() as stopped:
            try:
                for place in range(self._count):
                    self._start(place)
                while not stopped.poll():
                    self._keep_up(stopped)
            finally:
                finished = self._finish(stopped)
        return finished

    def _start(self, place: int) -> None:
        context = multiprocessing.get_context("spawn")
        messages, sender = context.Pipe(duplex=False)
        process = context.Process(target=_worker, args=(self._work, self._listener, sender), name=f"worker-{place}")
        process.start()
        sender.close()  # so that the worker's end is the last, and its death an end of file
        self._workers[place] = _Worker(process, messages)

    def _terminate(self, stopped: Connection) -> None:
        """SIGTERM to all, for the signals that have come, or for whatever else is a reason to end."""
        while stopped.poll():
            stopped.recv_bytes()
        for worker in self._workers.values():
            worker.process.terminate()

    def _keep_up(self, stopped: Connection) -> None:
        now = time.monotonic()
        timeout = max(0.0, min(self._due.values()) - now) if self._due else None
        sources = [worker.messages for worker in self._workers.values() if not worker.messages.closed]
        wait([stopped, *sources, *(worker.process.sentinel for worker in self._workers.values())], timeout)
        for place, worker in list(self._workers.items()):
            self._listen(place, worker)
            if not worker.process.is_alive():
                self._replace(place, worker)
        for place, moment in list(self._due.items()):
            if moment <= time.monotonic():
                del self._due[place]
                self._start(place)

    def _listen(self, place: int, worker: _Worker) -> None:
        try:
            while not worker.messages.closed and worker.messages.poll():
                message = worker.messages.recv_bytes()
                if message == _READY:
                    worker.ready = True
                    self._settled.add(place)
                else:
                    worker.error = message.decode()
        except (EOFError, OSError):
            worker.messages.close()

    def _replace(self, place: int, worker: _Worker) -> None:
        code = self._bury(place, worker)
        reason = worker.error or f"it ended with {_meaning(code)}"
        if place not in self._settled:
            raise UserError(worker.error or f"a worker process was never ready: {reason}, see its messages above")
        lived_s = time.monotonic() - worker.started
        failures = self._failures[place] = 0 if lived_s > _SETTLED_S else self._failures[place] + 1
        pause_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** (failures - 2)) if failures > 1 else 0.0
        self._due[place] = time.monotonic() + pause_s
        _log.error("worker process %d: %s; another one in %.1f s", worker.process.pid, reason, pause_s)

    def _bury(self, place: int, worker: _Worker) -> int:
        del self._workers[place]
        worker.messages.close()
        worker.process.join()
        assert worker.process.pid is not None
        assert worker.process.exitcode is not None
        self._forget(worker.process.pid)
        return worker.process.exitcode

    def _finish(self, stopped: Connection) -> bool:
        """SIGTERM to all, again if another signal comes, SIGKILL to those that are left after the grace."""
        self._listener.close()  # while it is open here, clients would wait in a queue that nobody reads
        deadline = time.monotonic() + self._grace_s
        self._terminate(stopped)
        while alive := [worker.process for worker in self._workers.values() if worker.process.is_alive()]:
            wait([stopped, *(process.sentinel for process in alive)], max(0.0, deadline - time.monotonic()))
            if stopped.poll():
                self._terminate(stopped)
            if time.monotonic() >= deadline:
                break
        for worker in self._workers.values():
            if worker.process.is_alive():
                _log.error("worker process %d did not end within %g s: killed", worker.process.pid, self._grace_s)
                worker.process.kill()
        finished = True
        for place, worker in list(self._workers.items()):
            self._listen(place, worker)
            code = self._bury(place, worker)
            # One that SIGTERM met before it could listen to it has answered nobody, and may end as it likes.
            finished = finished and (code == 0 or not worker.ready)
        return finished


@contextmanager
def _signals() -> Iterator[Connection]:
    """A connection that has something to read once SIGTERM or SIGINT has come."""
    stopped, stop = multiprocessing.Pipe(duplex=False)
    numbers = (signal.SIGTERM, signal.SIGINT)
    former = {number: signal.signal(number, lambda *_: stop.send_bytes(b"\0")) for number in numbers}
    try:
        yield stopped
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        stop.close()
        stopped.close()


def _worker(work: Work, listener: socket.socket, messages: Connection) -> None:
    os.setpgrp()  # Ctrl-C in a terminal is for the parent, which passes on a single SIGTERM
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises it again after the last answer
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()

    def ready() -> None:
        with suppress(OSError):
            messages.send_bytes(_READY)

    try:
        work(listener, ready)
    except UserError as error:
        with suppress(OSError):
            messages.send_bytes(str(error).encode())
        sys.exit(2)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)


def _meaning(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
