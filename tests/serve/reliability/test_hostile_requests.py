"""Requests that lie about themselves, come in pieces, or do not come to an end."""

import io
import struct
import threading
import time
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from serve.arrivals import PATIENCE_S
from tests.serve.conftest import Start
from tests.serve.reliability.conftest import Target, received, status_of
from tests.serve.waiting import wait_until


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: int | None = None) -> bytes:
    """An RGB PNG whose header says ``width`` x ``height`` and which holds ``rows`` black ones."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes((3 * width + 1) * (height if rows is None else rows)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def with_text(size: int) -> bytes:
    """A small PNG with a compressed text of ``size`` bytes."""
    data = png(8, 8)
    return data[:33] + chunk(b"zTXt", b"bomb\0\0" + zlib.compress(bytes(size), 9)) + data[33:]


@pytest.mark.parametrize(
    ("bomb", "statuses"),
    [
        (png(60_000, 60_000, rows=1), {413}),
        (png(2**31 - 1, 2**31 - 1, rows=0), {413}),
        (png(1200, 1000), {413}),
        (png(900, 1000, rows=1), {200, 422}),  # Pillow takes rows that are not there as black
        (png(8, 8, rows=300_000), {200, 422}),
        (with_text(500_000_000), {415, 422}),
    ],
    ids=["3.6-gigapixel", "largest", "one-too-many", "rows-missing", "more-rows-than-told", "text"],
)
def test_decompression_bombs_cost_next_to_nothing(unharmed: Target, bomb: bytes, statuses: set[int]) -> None:
    assert len(bomb) < 1_000_000
    start = time.monotonic()
    assert unharmed.client.post("/segment", content=bomb).status_code in statuses
    assert time.monotonic() - start < 5


def test_many_bombs_at_once(unharmed: Target) -> None:
    bomb = png(1000, 1000)
    peak, statuses = [0], Counter[int]()

    def attack() -> None:
        statuses[status_of(unharmed.post(bomb, f"Content-Length: {len(bomb)}\r\n"))] += 1

    threads = [threading.Thread(target=attack) for _ in range(48)]
    before = unharmed.memory()
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        peak[0] = max(peak[0], unharmed.memory())
        time.sleep(0.01)
    assert set(statuses) <= {200, 503}, statuses
    assert statuses[200] > 0
    assert peak[0] - before < 400 * 2**20


@pytest.mark.parametrize(
    ("lengths", "status"),
    [
        (b"Content-Length: 99999999999999999999999999\r\n", 400),
        (b"Content-Length: 999999999\r\n", 413),
        (b"Content-Length: -1\r\n", 400),
        (b"Content-Length: 0x10\r\n", 400),
        (b"Content-Length: 5\r\nContent-Length: 500\r\n", 400),
        (b"Content-Length: 5\r\nContent-Length: 5\r\n", 400),
        (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
        (b"Content-Length: 0\r\n", 400),
        (b"", 400),
    ],
    ids=str,
)
def test_lengths_that_cannot_be_are_refused_at_once(unharmed: Target, lengths: bytes, status: int) -> None:
    start = time.monotonic()
    raw = unharmed.send(b"POST /segment HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + lengths + b"\r\n")
    assert status_of(raw) == status
    assert b"application/problem+json" in raw
    assert time.monotonic() - start < 2.5


def test_a_body_shorter_than_announced_is_408(unharmed: Target, picture: bytes) -> None:
    assert status_of(unharmed.post(picture, f"Content-Length: {len(picture) + 100}\r\n")) == 408


def test_a_body_longer_than_announced_is_cut_where_announced(unharmed: Target, picture: bytes) -> None:
    assert status_of(unharmed.post(picture + b"surplus", f"Content-Length: {len(picture)}\r\n")) == 200
    assert status_of(unharmed.post(picture, "Content-Length: 100\r\n")) == 422


def test_thousands_of_tiny_chunks_are_one_image(unharmed: Target, picture: bytes) -> None:
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in picture) + b"0\r\n\r\n"
    start = time.monotonic()
    raw = unharmed.post(body, "Transfer-Encoding: chunked\r\n")
    assert status_of(raw) == 200
    assert time.monotonic() - start < 2


def test_tiny_chunks_without_end_are_413_where_the_limit_is(unharmed: Target) -> None:
    assert status_of(unharmed.post(b"1\r\nx\r\n" * 1_100_000, "Transfer-Encoding: chunked\r\n")) in (408, 413)


def test_a_body_byte_by_byte_is_408_and_holds_up_nobody(unharmed: Target) -> None:
    connections = [unharmed.connect() for _ in range(30)]
    head = b"POST /segment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1000\r\n\r\n"
    for connection in connections:
        connection.sendall(head)
    start = time.monotonic()
    while time.monotonic() - start < 0.7:
        for connection in connections:
            connection.sendall(b"\x89")
        assert unharmed.is_well()
    statuses = Counter(status_of(received(connection)) for connection in connections)
    for connection in connections:
        connection.close()
    assert statuses == {408: 30}


def test_slow_bodies_do_not_keep_others_out(start: Start, bundle: Path, picture: bytes) -> None:
    """As many as there are places, each with minutes to go."""
    server = start(bundle, *["--max-concurrency", "4", "--upload-timeout-s", "600", "--log-level", "error"])
    target = Target(server, picture)
    slow = [target.connect() for _ in range(4)]
    for connection in slow:
        connection.sendall(b"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx")
    wait_until(lambda: target.in_flight() == 4)
    time.sleep(PATIENCE_S)
    assert target.is_well()
    assert status_of(slow[0].recv(65536)) == 503
    for connection in slow:
        connection.close()
    wait_until(lambda: target.in_flight() == 0)
    server.stop()


def test_a_head_byte_by_byte_is_408(unharmed: Target) -> None:
    with unharmed.connect() as connection:
        connection.sendall(b"POST /segment HTTP/1.1\r\nHost: x")
        start = time.monotonic()
        assert status_of(received(connection)) == 408
        assert time.monotonic() - start < 3


@pytest.mark.parametrize("sent", [0, 100, None], ids=["head", "part", "whole"])
def test_a_half_closed_connection_ends(unharmed: Target, picture: bytes, sent: int | None) -> None:
    head = f"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
    with unharmed.connect() as connection:
        connection.sendall(head + picture[:sent])
        connection.shutdown(1)
        start = time.monotonic()
        received(connection)
        assert time.monotonic() - start < 3


def test_clients_that_vanish_leave_nothing_behind(unharmed: Target, picture: bytes) -> None:
    head = f"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
    for index in range(120):
        with unharmed.connect() as connection:
            if index % 2:  # a reset, in place of an orderly end
                connection.setsockopt(1, 13, struct.pack("ii", 1, 0))
            connection.sendall((head + picture)[: None if index % 3 else -10])
    wait_until(lambda: unharmed.in_flight() == 0)


def test_one_client_that_vanishes_takes_no_other_with_it(unharmed: Target, picture: bytes) -> None:
    head = f"POST /segment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
    connections = [unharmed.connect() for _ in range(24)]
    for connection in connections:
        connection.sendall(head + picture)
    for connection in connections[::3]:
        connection.close()
    statuses = Counter(status_of(received(c)) for i, c in enumerate(connections) if i % 3)
    for connection in connections:
        connection.close()
    assert statuses == {200: 16}


def test_a_form_of_a_thousand_parts_is_refused(unharmed: Target) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="x"\r\n\r\n\r\n'
    answer = unharmed.client.post(
        "/segment", content=part * 1000 + b"--b--\r\n", headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert answer.status_code == 400


def test_an_image_of_every_mode_is_answered(unharmed: Target) -> None:
    statuses = {}
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "I", "F", "YCbCr"):
        for kind in ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"):
            file = io.BytesIO()
            try:
                Image.fromarray(np.full((8, 8), 9, np.uint8)).convert(mode).save(file, kind)
            except (OSError, ValueError, KeyError):
                continue
            statuses[mode, kind] = unharmed.client.post("/segment", content=file.getvalue()).status_code
    assert set(statuses.values()) <= {200, 415, 422}, statuses
    assert statuses["RGB", "PNG"] == statuses["L", "JPEG"] == statuses["P", "PNG"] == 200
