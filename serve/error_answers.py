"""Every error is answered as ``{"error": "<one line>"}``."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from train.data.image import ImageTooLargeError, UnknownFormatError
from train.errors import UserError


class ErrorAnswer(BaseModel):
    """The body of every answer that is no success."""

    error: str = Field(description="one line: what is wrong and what to do")


ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": description}
    for status, description in {
        400: "an empty body or a damaged form",
        406: "no media type that the Accept header takes",
        408: "the body took too long to arrive",
        413: "too many bytes, or too many pixels",
        415: "the bytes are no JPEG, PNG, WebP or BMP image",
        422: "a truncated or damaged image, a form without the field, or a wrong parameter",
        503: "warming up, or too many requests: try again after the seconds in Retry-After",
    }.items()
}


def answer_errors(app: FastAPI) -> None:
    """Give ``app`` the handlers that turn each error into its answer."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _parameter)
    app.add_exception_handler(UserError, _upload)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _internal)


def _answer(status: int, message: str, headers: Any = None) -> JSONResponse:
    return JSONResponse({"error": " ".join(message.split())}, status, headers)


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, error.detail, error.headers)


async def _parameter(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    return _answer(422, f"{' '.join(map(str, first['loc']))}: {first['msg']}")


async def _upload(_: Request, error: Exception) -> JSONResponse:
    status = 413 if isinstance(error, ImageTooLargeError) else 415 if isinstance(error, UnknownFormatError) else 422
    return _answer(status, str(error))


async def _gone(_: Request, __: Exception) -> JSONResponse:
    return _answer(499, "the client went away")  # nobody reads it: it keeps the log free of a traceback


async def _internal(_: Request, __: Exception) -> JSONResponse:
    return _answer(500, "internal error: the server's log has the details")
