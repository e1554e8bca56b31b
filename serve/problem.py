"""Every answer that is no success is a problem: RFC 9457, ``application/problem+json``."""

from http import HTTPStatus
from typing import Any, Literal

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serve.request_id import request_id_of
from serve.video.errors import UnknownVideoError, VideoError, VideoTooLargeError
from train.data.image import ImageError, ImageTooLargeError, UnknownFormatError
from train.errors import UserError

MEDIA_TYPE = "application/problem+json"
CLIENT_GONE = 499
"""Status of a request whose client left: nobody reads the answer, the log and the metrics count it."""

Kind = Literal[
    "not-ready",
    "overloaded",
    "deadline-exceeded",
    "rate-limited",
    "unauthorized",
    "head-too-large",
    "body-too-large",
    "image-too-large",
    "unknown-format",
    "damaged-image",
    "video-too-large",
    "damaged-video",
    "invalid-parameter",
]
"""What a program may tell apart: the last part of ``type``, which is ``urn:segdistill:problem:<kind>``. These names do
not change. A problem that its status says all about has the type ``about:blank``."""

_LONGEST_DETAIL = 1000


class Problem(BaseModel):
    """Why a request was not answered as asked."""

    type: str = Field(description="`urn:segdistill:problem:<kind>`, or `about:blank` where the status says it all")
    title: str = Field(description="the kind of problem in words, the same for each request")
    status: int = Field(description="the HTTP status", ge=400, le=599)
    detail: str = Field(description="one line: what is wrong with this request and what to do")
    request_id: str | None = Field(default=None, description="the X-Request-ID of this request, also in the log")
    errors: list[str] | None = Field(default=None, description="for `invalid-parameter`: a line for each of them")


class ProblemError(HTTPException):
    """A request that cannot be answered, and the kind of reason."""

    def __init__(self, status: int, kind: Kind, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, detail, headers)
        self.kind = kind


PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"description": description, "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}}}
    for status, description in {
        400: "an empty body or a damaged form",
        401: "`unauthorized`: no API key, or a wrong one, where the server asks for one",
        404: "no model of this name",
        406: "no media type that the Accept header takes",
        408: "the body took too long to arrive",
        413: "`body-too-large`, `image-too-large`, `video-too-large`: too many bytes, pixels, frames or seconds",
        415: "`unknown-format`: the bytes are no JPEG, PNG, WebP or BMP image, or no video that is read here",
        422: "`damaged-image`, `damaged-video`, `invalid-parameter`: a truncated file, no such form field or parameter",
        429: "`rate-limited`: too many requests of this client: try again after the seconds in Retry-After",
        503: "`not-ready`, `overloaded`, `deadline-exceeded`: try again after the seconds in Retry-After",
    }.items()
}
"""For the OpenAPI description of a path, by status."""


def problem_of(error: Exception, request_id: str | None = None) -> Problem:
    """What an exception says to a client. One that nobody expected says nothing: its details are for the log."""
    status, kind, detail = _classified(error)
    title = kind.replace("-", " ") if kind else _phrase(status)
    return Problem(
        type=f"urn:segdistill:problem:{kind}" if kind else "about:blank",
        title=title.capitalize(),
        status=status,
        detail=" ".join(detail.split())[:_LONGEST_DETAIL],
        request_id=request_id,
        errors=[_line(entry) for entry in error.errors()] if isinstance(error, RequestValidationError) else None,
    )


async def refuse(scope: Scope, receive: Receive, send: Send, error: Exception) -> None:
    """Answer a request with the problem of ``error``; for a middleware."""
    await _response(scope, error)(scope, receive, send)


def answer_problems(app: FastAPI) -> None:
    """Give ``app`` the handlers that turn each exception into its problem."""
    for kind in (HTTPException, RequestValidationError, UserError, ClientDisconnect, Exception):
        app.add_exception_handler(kind, _handle)


async def _handle(request: Request, error: Exception) -> Response:
    return _response(request.scope, error)


def _response(scope: Scope, error: Exception) -> Response:
    problem = problem_of(error, request_id_of(scope))
    headers = getattr(error, "headers", None)
    if problem.status == 500:  # the server ends the connection of a handler that failed, and its client must know
        headers = {"Connection": "close"}
    return Response(problem.model_dump_json(exclude_none=True), problem.status, headers, MEDIA_TYPE)


def _classified(error: Exception) -> tuple[int, Kind | None, str]:
    match error:
        case ProblemError():
            return error.status_code, error.kind, error.detail
        case HTTPException(status_code=404, detail="Not Found"):
            return 404, None, "no such path: /openapi.json lists them"
        case HTTPException(status_code=405):
            return 405, None, f"not this method here: use {(error.headers or {}).get('Allow', 'another')}"
        case HTTPException():
            return error.status_code, None, error.detail
        case RequestValidationError():
            return 422, "invalid-parameter", _line(error.errors()[0])
        case ImageTooLargeError():
            return 413, "image-too-large", str(error)
        case UnknownFormatError():
            return 415, "unknown-format", str(error)
        case ImageError():
            return 422, "damaged-image", str(error)
        case VideoTooLargeError():
            return 413, "video-too-large", str(error)
        case UnknownVideoError():
            return 415, "unknown-format", str(error)
        case VideoError():
            return 422, "damaged-video", str(error)
        case UserError():
            return 422, None, str(error)
        case ClientDisconnect():
            return CLIENT_GONE, None, "the client went away"
        case _:
            return 500, None, "internal error: the server's log has the details, under this request id"


def _phrase(status: int) -> str:
    return HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "client closed request"


def _line(entry: Any) -> str:
    return f"{' '.join(map(str, entry['loc']))}: {entry['msg']}"
