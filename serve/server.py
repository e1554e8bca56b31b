"""Run the application on uvicorn: the socket, the warm-up, the end."""

import asyncio
import math
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import uvicorn
import uvloop
from starlette.types import ASGIApp

from serve.access_log import AccessLog, RequestRecord
from serve.api_key import ApiKey, api_keys
from serve.app import create_app
from serve.connections import ConnectionLimits, connection_class
from serve.draining import Draining, DrainingServer
from serve.extras import installed
from serve.live.connection import LiveConnection
from serve.live.endpoint import PATH
from serve.metrics import Metrics
from serve.rate_limit import RateLimit
from serve.request_id import RequestId
from serve.service import Service
from serve.settings import Settings
from train.errors import UserError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

_BACKLOG = 1024  # connections that wait until they are accepted


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
    """A service on a socket. `run` returns when a signal or `stop` has ended it and its last request is answered.

    While the models prove themselves, requests are answered 503. With ``ready``, which is called when they have, no
    connection is accepted before: other processes on the same socket take it. Such a server ends when its device is
    lost, so that another one is started.
    """

    def __init__(self, service: Service, listener: socket.socket, ready: Callable[[], None] | None = None) -> None:
        self._service = service
        self._listener = listener
        self._ready = ready
        self._tracers = _tracers(service.settings)
        self._uvicorn = DrainingServer(_configuration(service, self._tracers), service, ready is not None)

    def run(self) -> None:
        """Serve until stopped. `UserError` if a model fails to prove itself, or a replaceable one's device is lost."""
        try:
            uvloop.run(self._serve())
        finally:
            self._service.close()
            if self._tracers is not None:
                self._tracers.shutdown()

    def stop(self) -> None:
        """Drain, take no more requests, finish the running ones; from any thread."""
        self._uvicorn.drain()

    async def _serve(self) -> None:
        warm_up = asyncio.create_task(self._service.warm_up())
        warm_up.add_done_callback(self._stop_if_failed)
        if self._ready is not None:
            await warm_up
            self._ready()
        background = [asyncio.create_task(work) for work in (self._service.watch(), self._service.metrics.keep_fresh())]
        await self._uvicorn.serve(sockets=[self._listener])
        for task in background:
            task.cancel()
        await warm_up
        if self._service.device_lost and self._ready is not None:
            raise UserError(self._service.unready or "")

    def _stop_if_failed(self, warm_up: "asyncio.Task[None]") -> None:
        if not warm_up.cancelled() and warm_up.exception() is not None:
            self._uvicorn.should_exit = True


def grace_s(settings: Settings) -> int:
    """How long a request may take: as long to arrive as allowed, then its deadline, then as long again to leave."""
    return math.ceil(2 * settings.upload_timeout_s + settings.deadline_s)


def _tracers(settings: Settings) -> "TracerProvider | None":
    if settings.telemetry is None:
        return None
    with installed():
        from serve.telemetry import open_tracer_provider
    return open_tracer_provider(settings.telemetry)


def _configuration(service: Service, tracers: "TracerProvider | None") -> uvicorn.Config:
    settings = service.settings
    limits = ConnectionLimits(connections=settings.max_connections, head_s=settings.head_timeout_s)
    return uvicorn.Config(
        _stack(service, tracers),
        http=connection_class(limits, service.metrics.refused, PATH),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ws=LiveConnection,
        ws_max_size=settings.max_upload_bytes,
        ws_per_message_deflate=False,  # pictures and masks are compressed as they are
        proxy_headers=False,  # whoever asks could say to be another client
        backlog=_BACKLOG,
        timeout_graceful_shutdown=grace_s(settings),
    )


def _stack(service: Service, tracers: "TracerProvider | None") -> ASGIApp:
    """The application in its middleware. What is put around it last sees a request first."""
    settings, metrics = service.settings, service.metrics
    app: ASGIApp = create_app(service)
    if keys := api_keys(settings.api_key_file):
        app = ApiKey(app, keys)
    if settings.rate:
        app = RateLimit(app, settings.rate, max(1, math.ceil(settings.rate)), refused=metrics.refused)
    if tracers is not None:
        from serve.telemetry import Trace

        app = Trace(app, tracers)
    app = AccessLog(app, lambda record: _count(metrics, record))
    return RequestId(Draining(app, lambda: service.draining))


def _count(metrics: Metrics, record: RequestRecord) -> None:
    metrics.request(record.model, record.status, record.seconds)
    if record.times:
        metrics.stages(record.model, record.times)
