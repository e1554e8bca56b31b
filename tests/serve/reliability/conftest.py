"""A server process under attack, and what is watched of it meanwhile."""

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.serve.conftest import ServerProcess
from tests.serve.waiting import wait_until


class Target:
    """A running server: raw connections to it, its memory, and whether it still does its work."""

    def __init__(self, server: ServerProcess, image: bytes) -> None:
        self.server = server
        self.client = server.client
        self._url = httpx.URL(server.url)
        self._image = image

    def connect(self) -> socket.socket:
        return socket.create_connection((self._url.host, self._url.port), timeout=20)

    def send(self, data: bytes) -> bytes:
        """All that comes back for ``data``, until the server closes the connection."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
            return received(connection)

    def post(self, body: bytes, headers: str = "") -> bytes:
        head = f"POST /segment HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: image/png\r\n{headers}\r\n"
        return self.send(head.encode() + body)

    def memory(self) -> int:
        """Resident bytes."""
        pages = Path(f"/proc/{self.server.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096

    def is_well(self) -> bool:
        """Segments an image."""
        return self.client.post("/segment", content=self._image).status_code == 200

    def in_flight(self) -> int:
        text = self.client.get("/metrics").text
        line = next(line for line in text.splitlines() if line.startswith("segdistill_requests_in_flight"))
        return int(float(line.split()[-1]))


def received(connection: socket.socket) -> bytes:
    parts = []
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def status_of(raw: bytes) -> int:
    assert raw.startswith(b"HTTP/1.1 "), raw[:100]
    return int(raw[9:12])


@pytest.fixture(scope="package")
def picture(encode: Callable[..., bytes], image: object) -> bytes:
    """A PNG at the network's size."""
    return encode(image)


@pytest.fixture(scope="package")
def target(bundle: Path, picture: bytes) -> Iterator[Target]:
    """A server with limits within reach; after all tests, it must end as if nothing had been."""
    limits = "--max-upload-bytes 1000000 --max-pixels 1000000 --upload-timeout-s 1 --head-timeout-s 1"
    server = ServerProcess(bundle, *limits.split(), "--log-level", "error")
    yield Target(server, picture)
    code, errors = server.stop()
    assert code == 0
    assert "Traceback" not in errors, errors[-3000:]


@pytest.fixture
def unharmed(target: Target) -> Iterator[Target]:
    """The target, which must do its work afterwards, with nothing left behind, in the memory of before and 64 MB."""
    assert target.is_well()
    before = target.memory()
    yield target
    wait_until(target.is_well, within_s=2)
    wait_until(lambda: target.in_flight() == 0)
    assert target.memory() < before + 64 * 2**20
