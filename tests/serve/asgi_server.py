"""A small ASGI application on a real uvicorn server in a thread of this process."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import uvicorn
from starlette.types import ASGIApp


@contextlib.contextmanager
def serving(app: ASGIApp, **config: Any) -> Iterator[httpx.Client]:
    """A client of ``app``; keywords are uvicorn's."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, **{"log_config": None, "lifespan": "off", "ws": "none", "access_log": False} | config)
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listener])))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=20) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def connect(client: httpx.Client) -> socket.socket:
    """A plain connection to the same server."""
    return socket.create_connection((client.base_url.host, client.base_url.port), timeout=20)


def received(connection: socket.socket) -> bytes:
    """All bytes until the server closes the connection, or resets it."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)
