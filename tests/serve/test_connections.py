"""Connections that are slow, large, many or no HTTP at all, each on a real server: what ends them and what not."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from serve.connections import ConnectionLimits, connection_class
from serve.problem import MEDIA_TYPE
from tests.serve.asgi_server import connect, received, serving

LIMITS = ConnectionLimits(connections=8, head_s=0.4, head_bytes=4096, idle_s=0.4, answer_s=0.4)
LARGE = 32 * 2**20


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """/early answers before the body, /large answers much, /slow waits; all others count the body's bytes."""
    size = 0
    if scope["path"] == "/slow":
        await asyncio.sleep(1)
    if scope["path"] != "/early":
        while (message := await receive())["type"] == "http.request":
            size += len(message["body"])
            if not message["more_body"]:
                break
    body = b"x" * LARGE if scope["path"] == "/large" else str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def ended() -> list[str]:
    return []


@pytest.fixture(scope="module")
def client(ended: list[str]) -> Iterator[httpx.Client]:
    with serving(application, http=connection_class(LIMITS, ended.append)) as client:
        yield client


@pytest.fixture
def reasons(ended: list[str]) -> list[str]:
    """Of the connections that the server has ended in this test."""
    ended.clear()
    return ended


def answer_of(raw: bytes) -> tuple[int, dict[str, object]]:
    head, body = raw.split(b"\r\n\r\n", 1)
    assert f"content-type: {MEDIA_TYPE}".encode() in head
    assert b"connection: close" in head
    return int(head.split()[1]), json.loads(body)


def read_until(connection: socket.socket, end: bytes) -> bytes:
    raw = b""
    while not raw.endswith(end):
        raw += connection.recv(65536)
    return raw


def test_an_ordinary_client_notices_nothing(client: httpx.Client, reasons: list[str]) -> None:
    for _ in range(3):
        assert client.post("/", content=b"x" * 10**6).text == "1000000"
    assert client.get("/large").content == b"x" * LARGE
    time.sleep(LIMITS.idle_s / 2)
    assert client.get("/", headers={"A": "y" * 3000}).text == "0"
    assert reasons == []


def test_a_head_byte_by_byte_is_408_in_time(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        start = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"a" * 100:
                connection.sendall(bytes([byte]))
                time.sleep(0.02)
        status, problem = answer_of(received(connection))
        assert time.monotonic() - start < 5
    assert (status, problem["detail"]) == (408, "the head of the request was not whole within 0.4 s")
    assert reasons == ["slow-head"]


def test_a_second_head_is_bounded_too(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert read_until(connection, b"\r\n\r\n0")
        with contextlib.suppress(OSError):
            for _ in range(40):
                connection.sendall(b"\r\n")
                time.sleep(0.05)
        assert b"408" in received(connection)
    assert reasons == ["slow-head"]


def test_silence_is_closed_without_a_word(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        assert received(connection) == b""
    assert reasons == []


def test_an_idle_connection_is_closed(client: httpx.Client) -> None:
    with connect(client) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        start = time.monotonic()
        assert received(connection).endswith(b"0")
        assert LIMITS.idle_s * 0.9 < time.monotonic() - start < 5


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"a" * 5000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"GET / HTTP/1.1\r\nA: " + b"a" * 300_000,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"a" * 300_000,
    ],
    ids=["line", "value", "many", "endless", "trailers", "chunk-extension"],
)
def test_a_large_head_is_431(client: httpx.Client, reasons: list[str], head: bytes) -> None:
    with connect(client) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(head)
        status, problem = answer_of(received(connection))
    assert (status, problem["type"]) == (431, "urn:segdistill:problem:head-too-large")
    assert reasons == ["large-head"]


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello in TLS",
        b"GET / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT elsewhere:80 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno number\r\n",
    ],
    ids=["tls", "negative", "two-lengths", "length-and-chunked", "not-ascii", "connect", "chunk"],
)
def test_what_is_no_http_is_400(client: httpx.Client, reasons: list[str], data: bytes) -> None:
    with connect(client) as connection:
        connection.sendall(data)
        status, _ = answer_of(received(connection))
    assert status == 400
    assert reasons == ["not-http"]
    assert client.get("/").status_code == 200


H2C = b"POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\nhello"


def test_a_client_that_offers_http_2_is_answered_in_http_1(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        for _ in range(2):
            connection.sendall(H2C)
            assert read_until(connection, b"\r\n\r\n5")
    assert reasons == []


@pytest.mark.parametrize("cut", [H2C.index(b"grade: h2c"), H2C.index(b"Content-")])
def test_no_body_is_taken_for_a_request(client: httpx.Client, cut: int) -> None:
    smuggled = H2C.replace(b"5\r\n\r\nhello", b"34\r\n\r\nGET / HTTP/1.1\r\nHost: smuggled\r\n\r\n")
    with connect(client) as connection:
        connection.sendall(smuggled[:cut])
        for part in (smuggled[cut:-20], smuggled[-20:]):
            time.sleep(0.1)
            connection.sendall(part)
        assert received(connection).count(b"HTTP/1.1 ") == 1


def test_one_connection_too_many_is_503() -> None:
    reasons: list[str] = []
    with serving(application, http=connection_class(LIMITS, reasons.append)) as client:
        with contextlib.ExitStack() as stack:
            for _ in range(LIMITS.connections):
                stack.enter_context(connect(client))
            time.sleep(0.1)
            with connect(client) as connection:
                raw = received(connection)
        time.sleep(0.1)
        assert client.get("/").status_code == 200
    status, problem = answer_of(raw)
    assert (status, problem["type"]) == (503, "urn:segdistill:problem:overloaded")
    assert b"Retry-After: 1" in raw
    assert reasons == ["connections"]


def test_a_client_that_does_not_read_is_dropped(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1.2)
        assert len(received(connection)) < LARGE
    assert reasons == ["slow-reader"]


def test_a_client_that_reads_slowly_but_steadily_gets_all(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        connection.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        size, start = 0, time.monotonic()
        while part := connection.recv(2**20):
            size += len(part)
            time.sleep(0.02)
        assert time.monotonic() - start > LIMITS.answer_s
    assert size > LARGE
    assert reasons == []


def test_a_body_that_goes_on_after_its_answer_is_cut(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        connection.sendall(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        assert read_until(connection, b"\r\n\r\n0")
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                connection.sendall(b"x")
                time.sleep(0.02)
    assert reasons == ["slow-rest"]


def test_a_body_that_ends_after_its_answer_keeps_the_connection(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        for _ in range(2):
            connection.sendall(b"POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
            assert read_until(connection, b"\r\n\r\n0")
            connection.sendall(b"world")
        start = time.monotonic()
        assert received(connection) == b""
        assert time.monotonic() - start > LIMITS.idle_s / 2
    assert reasons == []


def test_a_flood_of_pipelined_requests_is_ended(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        received(connection)
    assert reasons == ["pipelined"]


def test_a_few_pipelined_requests_are_answered(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 10)
        assert received(connection).count(b"HTTP/1.1 200") == 10
    assert reasons == []


def test_a_slow_answer_is_no_slow_head(client: httpx.Client, reasons: list[str]) -> None:
    with connect(client) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET / HT")
        time.sleep(1.1)
        connection.sendall(b"TP/1.1\r\nHost: x\r\n\r\n")
        assert received(connection).count(b"HTTP/1.1 200") == 2
    assert reasons == []


def test_a_half_closed_connection_is_a_client_that_left(client: httpx.Client) -> None:
    with connect(client) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        start = time.monotonic()
        assert received(connection) == b""
        assert time.monotonic() - start < 0.9


def test_many_slow_heads_leave_the_server_to_others() -> None:
    reasons: list[str] = []
    limits = ConnectionLimits(connections=256, head_s=0.5)
    with serving(application, http=connection_class(limits, reasons.append)) as client:
        stop = threading.Event()

        def attack() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError), connect(client) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nA: ")
                    while not stop.is_set() and connection.recv(1):
                        pass

        threads = [threading.Thread(target=attack) for _ in range(48)]
        for thread in threads:
            thread.start()
        statuses = Counter(client.get("/").status_code for _ in range(50))
        stop.set()
        for thread in threads:
            thread.join()
    assert statuses == {200: 50}
    assert set(reasons) <= {"slow-head"}
