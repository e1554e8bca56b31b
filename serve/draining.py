"""Let go of connections when the server is about to end."""

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send


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
