"""The handshake byte by byte: where a connection becomes a WebSocket, and where it stays HTTP."""

import socket
import time

import httpx
import pytest

HEAD = (
    b"GET /segment/live?form=png HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


@pytest.fixture
def connection(server):
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port), timeout=10) as connection:
        yield connection


def status(connection):
    """Of the next answer, whose head is read."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return int(head.split()[1])


@pytest.mark.parametrize("cut", [4, 10, HEAD.index(b"HTTP/1.1"), HEAD.index(b"grade: web"), len(HEAD) - 2])
def test_a_head_in_two_pieces(connection, cut):
    connection.sendall(HEAD[:cut])
    time.sleep(0.05)
    connection.sendall(HEAD[cut:])
    assert status(connection) == 101


def test_after_a_request_on_the_same_connection(connection):
    for _ in range(2):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status(connection) == 200
        assert connection.recv(100) == b'{"status":"ok"}'
    connection.sendall(HEAD)
    assert status(connection) == 101


def test_behind_a_request_that_is_not_answered_it_is_refused(connection, picture):
    post = b"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(picture)
    connection.sendall(post + picture + HEAD)
    answered = b""
    while part := connection.recv(65536):
        answered += part
    assert b"HTTP/1.1 101" not in answered


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b"GET /segment/live?", b"GET /segment?", 405),
        (b"GET /segment/live?", b"GET /segment/live/?", 404),
        (b"GET /segment/live?", b"GET /segment/liver?", 404),
        (b"GET ", b"POST ", 405),
        (b"Upgrade: websocket", b"Upgrade: h2c", 400),
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 8", 400),
        (b"AAAAAAAAAAAAAAAAAAAAAA==", b"AAAA", 400),
        (b"keep-alive, Upgrade", b"keep-alive", 426),
    ],
)
def test_everything_else_stays_http(connection, old, new, expected):
    connection.sendall(HEAD.replace(old, new))
    assert status(connection) == expected
