"""What one connection may cost: time and bytes of a request's head, idleness, and how many connections there are."""

import asyncio
import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from serve.problem import MEDIA_TYPE, ProblemError, problem_of
from serve.upgrade import Upgrade

Refused = Callable[[str], None]
"""Told the reason of each connection that is ended on its client; `REASONS` are all there are."""

REASONS = ("connections", "slow-head", "large-head", "not-http", "pipelined", "slow-reader", "slow-rest")

_LAST_S = 0.2  # for a request that is on its way while its connection is about to be closed
_LINGER_S = 1.0  # for a client to read why, before what it still sends resets the connection
_LEAST_READ = 64 * 1024  # bytes a client takes within `answer_s`, if there are as many
_MOST_PIPELINED = 16  # requests on one connection that wait for an earlier one; each is some kilobytes


@dataclass(frozen=True)
class ConnectionLimits:
    """Bounds on connections. The body of a request is bounded where it is read."""

    connections: int = 512
    """Open at once in this process, each a file descriptor; one more is answered 503."""
    head_s: float = 10.0
    """Seconds for the head of a request to be whole, from its first byte, or from the connection's beginning."""
    head_bytes: int = 32 * 1024
    """Bytes of a request's line, headers and trailers; more is answered 431."""
    idle_s: float = 30.0
    """Seconds between two requests of a connection."""
    answer_s: float = 30.0
    """Seconds for a client to take 64 KiB of its answer, and to send the rest of a body that was answered before."""


def connection_class(
    limits: ConnectionLimits, refused: Refused | None = None, websocket_path: str | None = None
) -> type[asyncio.Protocol]:
    """The protocol for uvicorn's ``http=``. Another one can be asked for at ``websocket_path`` only, and only that."""
    path = None if websocket_path is None else websocket_path.encode()
    made = functools.partial(Connection, limits=limits, refused=refused, websocket_path=path)
    return cast(type[asyncio.Protocol], made)


class Connection(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, bounded.

    A client that closes its sending side has left: a closed connection gives no other sign.
    """

    def __init__(
        self,
        *arguments: Any,
        limits: ConnectionLimits,
        refused: Refused | None,
        websocket_path: bytes | None,
        **keywords: Any,
    ) -> None:
        super().__init__(*arguments, **keywords)
        self._upgrade = Upgrade(websocket_path)
        self.timeout_keep_alive = cast(int, limits.idle_s)  # seconds for `call_later`, which takes a float
        self._limits = limits
        self._refused = refused
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._in_head = True
        self._head_bytes = 0
        self._fruitless_bytes = 0  # received since the last part of a body, or the last whole head
        self._objection: tuple[HTTPException, str] | None = None
        self._unsent = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        limit = self._limits.connections
        if len(self.connections) > limit:
            detail = f"{limit} connections are open, the limit: try again"
            self._refuse(ProblemError(503, "overloaded", detail, {"Retry-After": "1"}), "connections")
        else:
            self._start("head", self._limits.head_s, self._head_is_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        for name in list(self._timers):
            self._cancel(name)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing() or "linger" in self._timers:
            return
        if self._in_head:
            data = self._upgrade.piece(data)
            if "head" not in self._timers:
                self._start("head", self._limits.head_s, self._head_is_slow)
        self._fruitless_bytes += len(data)
        super().data_received(data)
        if self._fruitless_bytes > self._limits.head_bytes and "linger" not in self._timers:
            self._refuse(self._too_large(), "large-head")

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls where the parser, or a callback of it, raised."""
        self._refuse(*(self._objection or (HTTPException(400, f"{msg} Send HTTP/1.1."), "not-http")))

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= _MOST_PIPELINED:
            detail = f"more than {_MOST_PIPELINED} requests wait on this connection"
            self._object(HTTPException(400, detail), "pipelined")
        if (
            self.parser.should_upgrade() and not self._opens_websocket()
        ):  # the parser would take the body for the next request
            self._object(HTTPException(400, "no other protocol here: send no Upgrade"), "not-http")
        self._in_head = False
        self._fruitless_bytes = 0
        self._cancel("head")
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """From here on the connection is another protocol's."""
        for name in list(self._timers):
            self._cancel(name)
        super().handle_websocket_upgrade()

    def on_body(self, body: bytes) -> None:
        self._fruitless_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._upgrade.end_of_request()
        self._fruitless_bytes = 0
        super().on_message_complete()
        if "rest" in self._timers:  # the answer was there before, and the data just received ended the idle time
            self._cancel("rest")
            self.timeout_keep_alive_task = self.loop.call_later(self._limits.idle_s, self.timeout_keep_alive_handler)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_reader()
        elif self.cycle.response_complete and self.cycle.more_body:
            self._start("rest", self._limits.answer_s, self._rest_is_slow)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        if not self.transport.is_closing():
            self._cancel("answer")

    def shutdown(self) -> None:
        """The server ends. uvicorn's own would reset a connection whose next request has come and is not yet read."""
        if self._is_answering():
            super().shutdown()
        else:
            self._start("last", _LAST_S, self._end_if_idle)

    def timeout_keep_alive_handler(self) -> None:
        """Ends an idle connection; uvicorn's own would wait for the client to read the rest of its answer."""
        if self.transport.get_write_buffer_size():
            self._watch_reader()
        super().timeout_keep_alive_handler()

    def _opens_websocket(self) -> bool:
        is_first = self.cycle is None or self.cycle.response_complete
        allowed = self._upgrade.allows(self.parser.get_method(), self.url)
        return allowed and is_first and not self.pipeline and self._should_upgrade()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._limits.head_bytes:
            self._object(self._too_large(), "large-head")

    def _too_large(self) -> HTTPException:
        detail = f"the head of the request has more than {self._limits.head_bytes} bytes, the limit"
        return ProblemError(431, "head-too-large", detail)

    def _object(self, error: HTTPException, reason: str) -> None:
        self._objection = error, reason
        raise error  # the parser stops, and `send_400_response` is called

    def _head_is_slow(self) -> None:
        if self._is_answering():
            self._start("head", self._limits.head_s, self._head_is_slow)
        elif self._fruitless_bytes:
            detail = f"the head of the request was not whole within {self._limits.head_s:g} s"
            self._refuse(HTTPException(408, detail), "slow-head")
        else:
            self.transport.close()

    def _end_if_idle(self) -> None:
        if not self._is_answering():
            self.transport.close()

    def _rest_is_slow(self) -> None:
        self._end("slow-rest")

    def _watch_reader(self) -> None:
        self._unsent = self.transport.get_write_buffer_size()
        self._start("answer", self._limits.answer_s, self._reader_is_slow)

    def _reader_is_slow(self) -> None:
        if self._unsent - self.transport.get_write_buffer_size() >= _LEAST_READ:
            self._watch_reader()
        else:
            self._end("slow-reader")

    def _is_answering(self) -> bool:
        return bool(self.pipeline) or (self.cycle is not None and not self.cycle.response_complete)

    def _refuse(self, error: HTTPException, reason: str) -> None:
        """Answer, and close when the client has had time to read it."""
        if self.pipeline or (self._is_answering() and self.cycle.response_started):
            self._end(reason)  # an answer in the middle of another would be read as part of it
            return
        if self._is_answering():
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._report(reason)
        self._cancel("head")
        self._start("linger", _LINGER_S, self.transport.abort)
        self.transport.write(_answer(error))
        with contextlib.suppress(OSError):  # the client has left
            self.transport.write_eof()

    def _end(self, reason: str) -> None:
        self._report(reason)
        self.transport.abort()

    def _report(self, reason: str) -> None:
        if self._refused is not None:
            self._refused(reason)

    def _start(self, name: str, seconds: float, then: Callable[[], None]) -> None:
        self._cancel(name)
        if self in self.connections:  # an answer may end after its connection
            self._timers[name] = self.loop.call_later(seconds, then)

    def _cancel(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()


def _answer(error: HTTPException) -> bytes:
    body = problem_of(error).model_dump_json(exclude_none=True).encode()
    headers = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close"}
    headers |= error.headers or {}
    lines = b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in headers.items())
    return b"".join([STATUS_LINE[error.status_code], lines, b"\r\n", body])
