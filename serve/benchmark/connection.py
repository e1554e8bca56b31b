"""One kept-open HTTP/1.1 connection that costs its client little: a whole request out, httptools in."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from train.errors import UserError


class Answer(NamedTuple):
    """What a benchmark wants to know of an answer."""

    status: int
    body_bytes: int
    server_timing: str
    """The value of the ``Server-Timing`` header; empty without one."""


class ExchangeError(Exception):
    """No answer came; the message is the kind: ``timeout``, ``connection closed``, ``no HTTP``, …"""


class Connection(asyncio.Protocol):
    """Sends one request at a time."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._body_bytes = 0
        self._server_timing = b""
        self.open = False

    def request(self, message: bytes, timeout_s: float) -> "asyncio.Future[Answer]":
        """Send ``message``; its answer, or `ExchangeError`."""
        assert self._transport is not None
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        timer = loop.call_later(timeout_s, self._fail, "timeout")
        answer.add_done_callback(lambda _: timer.cancel())
        self._answer, self._body_bytes, self._server_timing = answer, 0, b""
        self._transport.write(message)
        return answer

    def close(self) -> None:
        """Leave; a request that waits for its answer gets none."""
        self._fail("connection closed")

    def _fail(self, kind: str) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.abort()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ExchangeError(kind))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.open = True

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("no HTTP")

    def connection_lost(self, error: Exception | None) -> None:
        self._fail("connection closed" if error is None else "connection reset")

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"server-timing":
            self._server_timing = value

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self.open = False
        if self._answer is not None and not self._answer.done():
            status = self._parser.get_status_code()
            self._answer.set_result(Answer(status, self._body_bytes, self._server_timing.decode("latin-1")))


@dataclass(frozen=True)
class Target:
    """A server, and the requests to send it in turn, each of them written out beforehand."""

    url: str
    messages: Sequence[bytes]
    timeout_s: float = 30.0

    async def connect(self) -> Connection:
        """A new connection; `ExchangeError` where there is none within the time."""
        address = urlsplit(self.url)
        port = address.port or (443 if address.scheme == "https" else 80)
        tls = ssl.create_default_context() if address.scheme == "https" else None
        loop = asyncio.get_running_loop()
        try:
            making = loop.create_connection(Connection, address.hostname or "", port, ssl=tls)
            _, connection = await asyncio.wait_for(making, self.timeout_s)
        except asyncio.TimeoutError:
            raise ExchangeError("connect timeout") from None
        except ConnectionRefusedError:
            raise ExchangeError("connection refused") from None
        except OSError as error:
            raise ExchangeError(f"cannot connect ({error.strerror or error})") from None
        return connection


def post_message(url: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    """A whole ``POST`` of ``body`` to ``path`` below ``url``; `UserError` if that is no HTTP URL."""
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise UserError(f"--url {url}: not a URL like http://127.0.0.1:8000")
    lines = [
        f"POST {address.path.rstrip('/')}{path} HTTP/1.1",
        f"Host: {address.netloc}",
        *(f"{name}: {value}" for name, value in headers.items()),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
