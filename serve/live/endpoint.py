"""The WebSocket ``/segment/live``: who may open it, and how it ends."""

import contextlib
import logging

from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from serve.access_log import record_of
from serve.answers.png import encode_png
from serve.class_choice import chosen_classes
from serve.live.message import SUBPROTOCOL
from serve.live.origin import check_origin
from serve.live.stream import Asked, Closing, Stream, hello_of
from serve.live.wanted import LiveWanted
from serve.model_choice import chosen_model
from serve.models import Model
from serve.pipeline import Order
from serve.problem import refuse
from serve.segmentation import AnswerOptions
from serve.service import Service
from serve.wanted import read_query

PATH = "/segment/live"

_LONGEST_REASON = 123  # bytes, RFC 6455, section 5.5

_log = logging.getLogger(__name__)


def add_live(app: FastAPI, service: Service) -> None:
    """Add the path to an application."""

    async def live(socket: WebSocket) -> None:
        try:
            check_origin(socket.headers)
            wanted = read_query(LiveWanted, socket.query_params)
            model = service.models[chosen_model(wanted.model, service.models)]
            asked = _asked(model, wanted)
            with service.stream():
                await _serve(service, socket, model, asked)
        except (HTTPException, RequestValidationError) as error:
            await refuse(socket.scope, socket.receive, socket.send, error)

    async def plain() -> None:
        with service.stream():  # what a viewer would be told: a browser does not tell its page why one was refused
            raise HTTPException(426, f"{PATH} speaks WebSocket: connect with ws://", {"Upgrade": "websocket"})

    app.router.routes.append(WebSocketRoute(PATH, live))
    app.add_api_route(PATH, plain, include_in_schema=False)


def _asked(model: Model, wanted: LiveWanted) -> Asked:
    options = AnswerOptions(classes=chosen_classes(wanted.classes, model.manifest))
    order = Order("image/png", encode_png, options, wanted.size)
    return Asked(model.name, order, wanted.form, wanted.smoothing)


async def _serve(service: Service, socket: WebSocket, model: Model, asked: Asked) -> None:
    record, hello = record_of(socket.scope), hello_of(model, asked)
    record.model = model.name
    stream = Stream(service, socket, asked, hello)
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
    try:
        await socket.send_text(hello.text())
        await stream.run()
    except WebSocketDisconnect as end:
        record.closed = end.code
    except Closing as end:
        record.closed = end.code
        reason = end.reason.encode()[:_LONGEST_REASON].decode(errors="ignore")
        with contextlib.suppress(WebSocketDisconnect):  # it has left meanwhile
            await socket.close(end.code, reason)
    except Exception:
        record.closed = 1011
        _log.exception("%s: a live viewer could not be answered", model.name)
        await socket.close(1011, "internal error: the server's log has the details")
    finally:
        record.frames, record.superseded = stream.answered, stream.superseded
        service.metrics.live_lost(model.name, "superseded", stream.superseded)
        service.metrics.live_lost(model.name, "failed", stream.failed)
