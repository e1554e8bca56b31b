"""The server's log on stderr, as text or JSON. No request ever waits for it."""

import json
import logging
import os
import queue
import threading
import time
from typing import Any, Literal

LogFormat = Literal["text", "json"]

_WAITING_LINES = 10_000  # of some 300 bytes each
_FLUSH_WITHIN_S = 2.0
_STDERR = 2

# A path or a header must not be able to write a line of its own, nor to colour a terminal.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), 127, *range(128, 160))}


def start_log(level: str = "info", form: LogFormat = "text") -> "LogWriter":
    """Send every logger of this process to stderr through one thread. Close what is returned, for the last lines."""
    writer = LogWriter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[writer], force=True)
    return writer


class LogWriter(logging.Handler):
    """Lines go over a bounded queue to a thread that writes them to a file descriptor, stderr by default.

    A disk that is full, a pipe that nobody reads or that is closed costs lines, never a request: what cannot be written
    is dropped, and how many were is logged when writing works again.
    """

    def __init__(self, formatter: logging.Formatter, descriptor: int = _STDERR) -> None:
        super().__init__()
        self.setFormatter(formatter)
        self._descriptor = descriptor
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(self.format(record) + "\n")
        except Exception:  # the queue is full, or the message's arguments do not fit it
            self._dropped += 1

    def close(self) -> None:
        """Write what is waiting, for two seconds at most."""
        try:
            self._lines.put_nowait(None)
            self._thread.join(_FLUSH_WITHIN_S)
        except queue.Full:
            pass
        super().close()

    def _write_all(self) -> None:
        while (line := self._lines.get()) is not None:
            dropped = self._dropped
            try:
                # Past sys.stderr: what its buffer cannot get rid of becomes an exit code of 120.
                _write(self._descriptor, ((self._notice(dropped) if dropped else "") + line).encode(errors="replace"))
            except OSError:
                self._dropped += 1
            else:
                self._dropped -= dropped

    def _notice(self, dropped: int) -> str:
        notice = {"msg": "%d lines could not be written", "args": (dropped,), "name": __name__, "levelname": "WARNING"}
        return self.format(logging.makeLogRecord(notice)) + "\n"


class TextFormatter(logging.Formatter):
    """``2026-01-31T12:00:00.123Z INFO serve.access POST /segment 200 12.3 ms request_id=…``"""

    def format(self, record: logging.LogRecord) -> str:
        pairs = (f"{name}={_plain(value)}" for name, value in _fields(record).items())
        line = " ".join([_timestamp(record), record.levelname, record.name, _plain(record.getMessage()), *pairs])
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        return "\n".join([line, *(f"  {_plain(inner)}" for inner in trace.splitlines())])


class JsonFormatter(logging.Formatter):
    """An object a line: time, level, logger, message, the fields of the record, and ``exception`` with its trace."""

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _timestamp(record), "level": record.levelname.lower(), "logger": record.name}
        line |= {"message": record.getMessage(), **_fields(record)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _timestamp(record: logging.LogRecord) -> str:
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{moment}.{int(record.msecs):03d}Z"


def _plain(value: object) -> str:
    return str(value).translate(_CONTROLS)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields: dict[str, Any] = getattr(record, "fields", {})
    return fields


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
