"""A name for each request, in its answer and in every line about it."""

import re
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER = "X-Request-ID"

_SANE = re.compile(rb"[\x21-\x7e]{1,128}")
_HEADS = ("http.response.start", "websocket.accept", "websocket.http.response.start")
_NAME = HEADER.lower().encode()


class RequestId:
    """Middleware: takes the client's ``X-Request-ID`` if it is 1 to 128 visible ASCII characters, else makes one.

    The id stands in ``scope["state"]["request_id"]``, and is echoed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = _given(scope) or uuid.uuid4().hex.encode()
        scope.setdefault("state", {})["request_id"] = request_id.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] in _HEADS:
                message["headers"] = [*message.get("headers", ()), (_NAME, request_id)]
            await send(message)

        await self._app(scope, receive, send_with_id)


def request_id_of(scope: Scope) -> str | None:
    """The id of the request; None outside of `RequestId`."""
    request_id: str | None = scope.get("state", {}).get("request_id")
    return request_id


def _given(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == _NAME:
            return bytes(value) if _SANE.fullmatch(value) else None
    return None
