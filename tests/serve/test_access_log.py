"""A line for each request."""

import logging
import time
from collections.abc import Iterator

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from serve.access_log import AccessLog, RequestRecord, record_of
from serve.problem import answer_problems
from serve.request_id import RequestId
from tests.serve.asgi_server import connect, serving
from tests.serve.waiting import wait_until


async def segment(request: Request) -> PlainTextResponse:
    await request.body()
    record = record_of(request.scope)
    record.model, record.batch = "streets", 2
    record.times["decode"] = 1.25
    return PlainTextResponse("done", 201)


async def failing() -> None:
    raise RuntimeError("a bug")


async def healthz() -> str:
    return "ok"


def application() -> ASGIApp:
    app = FastAPI()
    answer_problems(app)
    app.add_api_route("/segment", segment, methods=["POST"])
    app.add_api_route("/bug", failing)
    app.add_api_route("/healthz", healthz)
    return app


@pytest.fixture
def observed() -> list[RequestRecord]:
    return []


@pytest.fixture
def client(observed: list[RequestRecord]) -> Iterator[httpx.Client]:
    with serving(RequestId(AccessLog(application(), observed.append))) as client:
        yield client


def access_lines(caplog: pytest.LogCaptureFixture, observed: list[RequestRecord]) -> list[logging.LogRecord]:
    """The lines once the request is over: its client has the answer a little earlier."""
    wait_until(lambda: bool(observed))
    time.sleep(0.05)
    return [record for record in caplog.records if record.name == "serve.access_log"]


def test_a_line_says_who_what_and_how_long(
    client: httpx.Client, observed: list[RequestRecord], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.post("/segment", content=b"image", headers={"X-Request-ID": "r1"})
    (line,) = access_lines(caplog, observed)
    fields = line.fields  # type: ignore[attr-defined]
    assert line.getMessage().startswith("POST /segment 201 ")
    assert fields.pop("ms") == round(observed[0].seconds * 1e3, 3)
    assert fields == {
        "request_id": "r1",
        "client": "127.0.0.1",
        "method": "POST",
        "path": "/segment",
        "status": 201,
        "bytes": 4,
        "model": "streets",
        "batch": 2,
        "decode_ms": 1.25,
    }


def test_health_checks_are_neither_logged_nor_counted(
    client: httpx.Client, observed: list[RequestRecord], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    client.get("/healthz")
    client.get("/absent")
    assert [line.getMessage().split()[1] for line in access_lines(caplog, observed)] == ["/absent"]
    assert [record.status for record in observed] == [404]


def test_a_bug_is_logged_as_500(
    client: httpx.Client, observed: list[RequestRecord], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert client.get("/bug").status_code == 500
    assert len(access_lines(caplog, observed)) == 1
    assert [record.status for record in observed] == [500]


def test_a_client_that_left_is_499(client: httpx.Client, observed: list[RequestRecord]) -> None:
    with connect(client) as connection:
        connection.sendall(b"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
    wait_until(lambda: bool(observed))
    assert [record.status for record in observed] == [499]
