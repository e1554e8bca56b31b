"""Viewers of real servers, message by message."""

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from serve.live.message import SUBPROTOCOL, class_map_of, unpack
from tests.serve.conftest import ServerProcess


class Viewer:
    """One connection, which has read its hello."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.hello = json.loads(socket.recv(20))

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.socket.send(frame)

    def header(self) -> tuple[dict[str, Any], memoryview]:
        message = self.socket.recv(20)
        assert isinstance(message, bytes), message
        return unpack(message)

    def mask(self) -> tuple[dict[str, Any], np.ndarray]:
        header, payload = self.header()
        return header, class_map_of(payload, header["height"], header["width"])

    def problem(self) -> dict[str, Any]:
        message = self.socket.recv(20)
        assert isinstance(message, str), message[:200]
        return json.loads(message)

    def closed(self) -> tuple[int, str]:
        """Code and reason of the server's close, whatever it sends before."""
        try:
            while True:
                self.socket.recv(20)
        except ConnectionClosed as end:
            return (end.rcvd.code, end.rcvd.reason) if end.rcvd else (1006, "")


@contextlib.contextmanager
def watching(server: ServerProcess, query: str = "", **options: Any) -> Iterator[Viewer]:
    url = f"{server.url.replace('http', 'ws', 1)}/segment/live{query}"
    settings = {"subprotocols": [SUBPROTOCOL], "compression": None, "max_size": None} | options
    with connect(url, **settings) as socket:
        yield Viewer(socket)


@pytest.fixture(scope="session")
def watch() -> Callable[..., AbstractContextManager[Viewer]]:
    """Open a stream of a server, with a query; keywords are of `websockets.sync.client.connect`."""
    return watching


@pytest.fixture(scope="session")
def picture(encode: Callable[..., bytes], image: np.ndarray) -> bytes:
    return encode(image)
