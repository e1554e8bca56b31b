"""A tiny real bundle whose right answer is known, and real server processes on it."""

import http.client
import io
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.serve.tiny_bundles import HEIGHT, WIDTH, make_bundle

ROOT = Path(__file__).parents[2]


class ServerProcess:
    """``python -m serve`` (or another way to start it) on a free port."""

    def __init__(self, bundle: Path, *options: str, launch: tuple[str, ...] = ("-m", "serve")) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *launch, str(bundle), "--port", "0", "--threads", "1", *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )
        assert self.process.stdout is not None
        self.banner = self.process.stdout.readline()
        assert " on http://" in self.banner, self.process.communicate()
        self.url = self.banner.split()[-1]
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        transport = httpx.HTTPTransport(retries=10)
        with httpx.Client(transport=transport, timeout=60) as client:
            while client.get(f"{self.url}/readyz").status_code != 200:
                pass

    def stop(self) -> tuple[int, str]:
        """SIGTERM; the exit code and what the server wrote to stderr."""
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        _, errors = self.process.communicate(timeout=30)
        return self.process.returncode, errors


Start = Callable[..., ServerProcess]
"""Of a bundle and options of the server."""


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("serve") / "bundle")


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[ServerProcess]:
    running = ServerProcess(bundle)
    yield running
    code, errors = running.stop()
    assert code == 0
    assert "Traceback" not in errors


@pytest.fixture(scope="session")
def small_server(bundle: Path) -> Iterator[ServerProcess]:
    """A server with every limit within a test's reach."""
    limits = "--max-upload-bytes 20000 --max-pixels 10000 --max-concurrency 2 --max-images 2 --upload-timeout-s 600"
    running = ServerProcess(bundle, *limits.split())
    yield running
    code, errors = running.stop()
    assert code == 0
    assert "Traceback" not in errors


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts servers, and ends those that a failed test leaves."""
    servers: list[ServerProcess] = []

    def start(bundle: Path, *options: str) -> ServerProcess:
        servers.append(ServerProcess(bundle, *options))
        return servers[-1]

    yield start
    for server in servers:
        server.client.close()
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


class SlowPost:
    """A POST /segment whose body is sent piece by piece."""

    def __init__(self, server: ServerProcess, announced: int | None, content_type: str = "image/png") -> None:
        self.connection = socket.create_connection((httpx.URL(server.url).host, httpx.URL(server.url).port), timeout=30)
        self.chunked = announced is None
        length = "Transfer-Encoding: chunked" if self.chunked else f"Content-Length: {announced}"
        head = f"POST /segment HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n{length}\r\n\r\n"
        self.connection.sendall(head.encode())

    def __enter__(self) -> "SlowPost":
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def send(self, data: bytes) -> None:
        self.connection.sendall(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)

    def answer(self) -> httpx.Response:
        response = http.client.HTTPResponse(self.connection)
        response.begin()
        return httpx.Response(response.status, headers=response.getheaders(), content=response.read())


@pytest.fixture(scope="session")
def slow_post() -> type[SlowPost]:
    return SlowPost


@pytest.fixture(scope="session", name="make_bundle")
def make_bundle_fixture() -> Callable[..., Path]:
    return make_bundle


@pytest.fixture(scope="session")
def server_process() -> type[ServerProcess]:
    return ServerProcess


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Pixels to the bytes of an image file; a PNG unless told otherwise."""

    def encode(pixels: np.ndarray, kind: str = "PNG", mode: str | None = None) -> bytes:
        file = io.BytesIO()
        picture = Image.fromarray(pixels) if mode is None else Image.frombuffer(mode, pixels.shape[1::-1], pixels)
        picture.save(file, kind)
        return file.getvalue()

    return encode


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    """RGB at the network's own size, blocks of the three colours with noise."""
    random = np.random.default_rng(0)
    blocks = random.integers(0, 3, (6, 8)).repeat(8, 0).repeat(8, 1)
    pixels = random.integers(0, 100, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    np.put_along_axis(pixels, blocks[..., None], 200, axis=-1)
    return pixels
