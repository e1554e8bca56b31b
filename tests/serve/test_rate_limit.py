"""Token buckets: what a client gets, what it is told, and what it costs."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message

from serve.problem import MEDIA_TYPE
from serve.rate_limit import RateLimit
from tests.serve.asgi_server import serving


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> RateLimit:
    return RateLimit(PlainTextResponse("in"), per_second=2, burst=3, clock=clock)


def test_a_burst_then_the_rate(limit: RateLimit, clock: Clock) -> None:
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    clock.now += 0.5
    assert [limit.take("a") for _ in range(2)] == [0, 0.5]
    clock.now += 100
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


def test_a_refusal_costs_no_token(limit: RateLimit, clock: Clock) -> None:
    for _ in range(1000):
        limit.take("a")
    clock.now += 0.5
    assert limit.take("a") == 0


def test_clients_do_not_share(limit: RateLimit) -> None:
    for _ in range(4):
        limit.take("a")
    assert limit.take("b") == 0


def test_memory_is_bounded(limit: RateLimit) -> None:
    for number in range(20_000):
        limit.take(str(number))
    assert len(limit._buckets) == 10_000


@pytest.mark.parametrize(
    ("first", "second", "shared"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
    ],
)
def test_an_ipv6_client_is_its_network(clock: Clock, first: str, second: str, shared: bool) -> None:
    limit = RateLimit(PlainTextResponse("in"), per_second=1, burst=1, clock=clock)
    statuses = []

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    for host in (first, second):
        scope = {"type": "http", "path": "/segment", "headers": [], "client": (host, 1)}
        asyncio.run(limit(scope, None, send))  # type: ignore[arg-type]
    assert statuses == [200, 429 if shared else 200]


def test_over_http(clock: Clock) -> None:
    refused: list[str] = []
    limit = RateLimit(PlainTextResponse("in"), per_second=0.1, burst=1, clock=clock, refused=refused.append)
    with serving(limit) as client:
        assert client.get("/segment").text == "in"
        answer = client.get("/segment")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "10")
        assert answer.headers["content-type"] == MEDIA_TYPE
        assert answer.json()["type"] == "urn:segdistill:problem:rate-limited"
        assert client.get("/healthz").text == client.get("/readyz").text == "in"
    assert refused == ["rate-limited"]
