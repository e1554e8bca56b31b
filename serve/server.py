"""Run the application on uvicorn: the socket, the warm-up, the end."""

import asyncio
import socket

import uvicorn

from serve.app import create_app
from serve.service import Service
from train.errors import UserError

_BACKLOG = 128  # connections that wait until they are accepted


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one. `UserError` if the address is not to be had."""
    if not 0 <= port <= 65535:
        raise UserError(f"--port {port}: ports are 0 to 65535")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise UserError(f"--host {host}: {error.strerror}: give an address of this machine") from None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise UserError(f"cannot listen on {host}:{port} ({error.strerror}): choose another --port or --host") from None
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL a listening socket answers on."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server:
    """A service on a socket. `run` returns when a signal or `stop` has ended it and its last request is answered."""

    def __init__(self, service: Service, listener: socket.socket, log_level: str = "info") -> None:
        self._service = service
        self._listener = listener
        # A request has as long to arrive, and as long again to be worked on and to leave.
        grace_s = round(2 * service.limits.upload_timeout_s)
        config = uvicorn.Config(create_app(service), log_level=log_level, timeout_graceful_shutdown=grace_s)
        self._uvicorn = uvicorn.Server(config)

    def run(self) -> None:
        """Serve until stopped. `UserError` if the warm-up inference fails."""
        try:
            asyncio.run(self._serve())
        finally:
            self._service.close()

    def stop(self) -> None:
        """Take no more requests, finish the running ones; from any thread."""
        self._uvicorn.should_exit = True

    async def _serve(self) -> None:
        warm_up = asyncio.create_task(self._service.warm_up())
        warm_up.add_done_callback(self._stop_if_failed)
        await self._uvicorn.serve(sockets=[self._listener])
        await warm_up

    def _stop_if_failed(self, warm_up: "asyncio.Task[None]") -> None:
        if not warm_up.cancelled() and warm_up.exception() is not None:
            self.stop()
