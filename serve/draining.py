"""The end of a server: it goes on for a while, lets go of its connections, and answers all who have come."""

import asyncio
import socket
import time
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serve.service import Service


class Draining:
    """Middleware: while ``draining``, every answer says ``Connection: close``.

    A client that keeps its connection would send its next request just when the server closes it, and lose it.
    """

    def __init__(self, app: ASGIApp, draining: Callable[[], bool]) -> None:
        self._app = app
        self._draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_last(message: Message) -> None:
            if message["type"] == "http.response.start" and self._draining():
                message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        await self._app(scope, receive, send_last)


class DrainingServer(uvicorn.Server):
    """uvicorn's server, which goes on for a while after the first signal, and says that it will end.

    One that is ``replaceable`` by another process ends by itself when its device is lost.
    """

    def __init__(self, config: uvicorn.Config, service: Service, replaceable: bool) -> None:
        super().__init__(config)
        self._service = service
        self._replaceable = replaceable
        self._end: float | None = None

    def drain(self) -> None:
        """Begin to end."""
        self._service.draining = True
        self._end = time.monotonic() + self._service.settings.drain_s

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal drains; the next one ends at once."""
        if self._end is None:
            self.drain()
        else:
            super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second."""
        if self._end is not None and time.monotonic() >= self._end:
            self.should_exit = True
        if self._replaceable and self._service.device_lost:
            self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept who already waits, and nobody else; then end as uvicorn does.

        To a client, a connection that waits to be accepted is an open one: it may have sent its request.
        """
        loop, listeners = asyncio.get_running_loop(), sockets or []
        for listener in listeners:
            loop.remove_reader(listener)
        await asyncio.sleep(0.01)  # for connections that are just being taken: a closed server would drop them
        waiting = [connection for listener in listeners for connection in _accepted(listener)]
        for server in self.servers:
            server.close()
        for connection in waiting:
            await loop.connect_accepted_socket(self._protocol, connection)
        await super().shutdown(sockets)

    def _protocol(self) -> asyncio.Protocol:
        state = {"server_state": self.server_state, "app_state": self.lifespan.state}
        protocol: asyncio.Protocol = self.config.http_protocol_class(config=self.config, **state)  # type: ignore[call-arg]
        return protocol


def _accepted(listener: socket.socket) -> list[socket.socket]:
    connections = []
    try:
        while True:
            connections.append(listener.accept()[0])
    except OSError:  # nobody else, or no file descriptor for them
        return connections
