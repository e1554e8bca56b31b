"""The id of a request: the client's own where it is sane, echoed, and there for the application."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from serve.request_id import HEADER, RequestId, request_id_of
from tests.serve.asgi_server import serving


async def seen(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(request_id_of(request.scope)))


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with serving(RequestId(Starlette(routes=[Route("/", seen)]))) as client:
        yield client


@pytest.mark.parametrize("given", ["a", "x" * 128, "0af7651916cd43dd8448eb211c80319c", "!#$~"])
def test_a_sane_id_is_kept_and_echoed(client: httpx.Client, given: str) -> None:
    answer = client.get("/", headers={HEADER: given})
    assert answer.text == answer.headers[HEADER] == given


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"two words", b"caf\xc3\xa9", b"a\tb"])
def test_any_other_is_replaced(client: httpx.Client, given: bytes) -> None:
    answer = client.get("/", headers=[(HEADER.encode(), given)])
    assert answer.text == answer.headers[HEADER] != given.decode()
    assert len(answer.text) == 32


def test_every_request_has_its_own_also_a_refused_one(client: httpx.Client) -> None:
    ids = {client.get(path).headers[HEADER] for path in ("/", "/", "/absent")}
    assert len(ids) == 3
