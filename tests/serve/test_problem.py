"""Every error is an RFC 9457 problem: what a client reads, and what it never reads."""

from collections.abc import Iterator
from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query

from serve.problem import MEDIA_TYPE, PROBLEM_RESPONSES, Problem, ProblemError, answer_problems, problem_of
from serve.request_id import RequestId
from tests.serve.asgi_server import serving
from train.data.image import ImageError, ImageTooLargeError, UnknownFormatError
from train.errors import UserError

RAISED = {
    "pixels": ImageTooLargeError("9 pixels, the limit is 4"),
    "format": UnknownFormatError("no image"),
    "damaged": ImageError("truncated"),
    "user": UserError("two\nlines"),
    "full": ProblemError(503, "overloaded", "16 requests are being worked on", {"Retry-After": "1"}),
    "bug": RuntimeError("secret: /etc/shadow"),
}


async def raising(name: str) -> None:
    raise RAISED[name]


async def wanting(count: Annotated[int, Query(ge=1)], ratio: float) -> None: ...


def application() -> FastAPI:
    app = FastAPI()
    answer_problems(app)
    app.add_api_route("/raise/{name}", raising)
    app.add_api_route("/count", wanting, responses=PROBLEM_RESPONSES)
    return app


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(RequestId(application())) as client:
        yield client


def problem(answer: httpx.Response) -> Problem:
    assert answer.headers["content-type"] == MEDIA_TYPE
    body = Problem.model_validate_json(answer.content)
    assert body.status == answer.status_code
    assert body.request_id == answer.headers["x-request-id"]
    assert "\n" not in body.detail
    return body


@pytest.mark.parametrize(
    ("name", "status", "kind", "detail"),
    [
        ("pixels", 413, "image-too-large", "9 pixels, the limit is 4"),
        ("format", 415, "unknown-format", "no image"),
        ("damaged", 422, "damaged-image", "truncated"),
        ("full", 503, "overloaded", "16 requests are being worked on"),
    ],
)
def test_kinds_are_told_apart(client: httpx.Client, name: str, status: int, kind: str, detail: str) -> None:
    body = problem(client.get(f"/raise/{name}"))
    assert (body.status, body.type, body.detail) == (status, f"urn:segdistill:problem:{kind}", detail)
    assert body.title == kind.replace("-", " ").capitalize()


def test_headers_of_an_error_are_sent(client: httpx.Client) -> None:
    assert client.get("/raise/full").headers["retry-after"] == "1"


def test_a_user_error_is_one_line(client: httpx.Client) -> None:
    body = problem(client.get("/raise/user"))
    assert (body.status, body.type, body.detail) == (422, "about:blank", "two lines")


def test_a_bug_shows_nothing_of_itself(client: httpx.Client) -> None:
    answer = client.get("/raise/bug")
    assert problem(answer).status == 500
    assert "secret" not in answer.text
    assert "Error" not in answer.json()["detail"]


def test_a_bug_does_not_break_the_next_request(client: httpx.Client) -> None:
    for _ in range(50):
        assert client.get("/raise/bug").headers["connection"] == "close"
        assert client.get("/raise/full").status_code == 503


def test_wrong_parameters_are_all_named(client: httpx.Client) -> None:
    body = problem(client.get("/count?count=0&ratio=much"))
    assert (body.status, body.type) == (422, "urn:segdistill:problem:invalid-parameter")
    assert body.errors is not None
    assert [line.split(":")[0] for line in body.errors] == ["query count", "query ratio"]
    assert body.detail == body.errors[0]


def test_unknown_paths_and_methods(client: httpx.Client) -> None:
    missing, wrong = problem(client.get("/absent")), problem(client.delete("/count"))
    assert (missing.status, missing.type, missing.title) == (404, "about:blank", "Not found")
    assert (wrong.status, wrong.detail) == (405, "not this method here: use GET")
    assert client.delete("/count").headers["allow"] == "GET"


def test_the_openapi_description_names_the_media_type(client: httpx.Client) -> None:
    responses = client.get("/openapi.json").json()["paths"]["/count"]["get"]["responses"]
    for status in PROBLEM_RESPONSES:
        assert set(responses[str(status)]["content"]) == {MEDIA_TYPE}, status


def test_the_client_that_left_is_counted_as_such() -> None:
    from starlette.requests import ClientDisconnect

    body = problem_of(ClientDisconnect())
    assert (body.status, body.title) == (499, "Client closed request")


def test_a_detail_is_bounded() -> None:
    assert len(problem_of(UserError("x" * 10**6)).detail) == 1000
