"""A line in the log for each request, with what is known about it at its end."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.problem import CLIENT_GONE
from serve.request_id import request_id_of
from serve.timing import StageTimes

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Paths logged as ``debug`` and not counted: an orchestrator asks them every second."""

_log = logging.getLogger(__name__)


@dataclass
class RequestRecord:
    """A request at its end. The application fills in what it learns before `status` (`record_of`)."""

    model: str = ""
    times: StageTimes = field(default_factory=StageTimes)
    batch: int | None = None
    """How many images the network saw together with this one."""
    frames: int | None = None
    """Of a live viewer: answered."""
    superseded: int | None = None
    """Of a live viewer: frames whose place a newer one took."""
    closed: int | None = None
    """Of a live viewer: the close code, whichever side it came from."""
    status: int = CLIENT_GONE
    seconds: float = 0.0
    bytes_sent: int = 0


class AccessLog:
    """Middleware: a line for each request, and a call of ``observe``, when its answer is sent or its client gone."""

    def __init__(self, app: ASGIApp, observe: Callable[[RequestRecord], None] | None = None) -> None:
        self._app = app
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        record = scope.setdefault("state", {})["record"] = RequestRecord()

        async def watch(message: Message) -> None:
            match message["type"]:
                case "http.response.start" | "websocket.http.response.start":
                    record.status = message["status"]
                case "websocket.accept":
                    record.status = HTTPStatus.SWITCHING_PROTOCOLS.value  # Python 3.10 writes its name
            record.bytes_sent += len(message.get("body") or message.get("bytes") or b"")
            await send(message)

        try:
            await self._app(scope, receive, watch)
        finally:
            record.seconds = time.perf_counter() - start
            if self._observe is not None and scope["path"] not in QUIET:
                self._observe(record)
            _write_line(scope, record)


def record_of(scope: Scope) -> RequestRecord:
    """The record of a request under `AccessLog`, to be filled in; outside, one that nobody reads."""
    record: RequestRecord = scope.get("state", {}).get("record") or RequestRecord()
    return record


def _write_line(scope: Scope, record: RequestRecord) -> None:
    level = logging.DEBUG if scope["path"] in QUIET else logging.INFO
    if not _log.isEnabledFor(level):
        return
    outcome = (scope.get("method", "GET"), scope["path"], record.status, record.seconds * 1e3)
    _log.log(level, "%s %s %d %.1f ms", *outcome, extra={"fields": _fields(scope, record)})


def _fields(scope: Scope, record: RequestRecord) -> dict[str, Any]:
    client = scope.get("client") or ("",)
    fields = {
        "request_id": request_id_of(scope),
        "client": client[0],
        "method": scope.get("method", "GET"),  # what a WebSocket is opened with
        "path": scope["path"],
        "status": record.status,
        "ms": round(record.seconds * 1e3, 3),
        "bytes": record.bytes_sent,
        "model": record.model or None,
        "batch": record.batch,
        "frames": record.frames,
        "superseded": record.superseded,
        "closed": record.closed,
        **{f"{stage}_ms": round(ms, 3) for stage, ms in record.times.items()},
    }
    return {name: value for name, value in fields.items() if value is not None}
