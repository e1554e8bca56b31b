"""Time whole requests over HTTP one after the other, from the client's side."""

import asyncio
import os
import time
from urllib.parse import quote

import httpx

from serve.api_key import ENVIRONMENT
from serve.benchmark.connection import Target, post_message
from serve.benchmark.load import OK, Exchange, Sender
from serve.benchmark.measurement import WHOLE_REQUEST, Measurement, Plan, repeat
from serve.timing import STAGES, parse_server_timing
from train.errors import UserError

TIMEOUT_S = 60.0
_TRIED = 8
PATH = "/segment"
_HEADERS = {"Accept": "image/png", "Content-Type": "application/octet-stream"}
_SCOPE = "one client, one kept-open connection: from the POST of one image to the last byte of the class map"


def segment_target(url: str, images: list[bytes], model: str | None = None) -> Target:
    """Requests of the images' class maps, after a few to see that the server gives them.

    Raises:
        UserError: the server cannot be reached, or refuses an image.
    """
    path = PATH if model is None else f"{PATH}?model={quote(model)}"
    target = Target(url, [post_message(url, path, image, _headers()) for image in images], TIMEOUT_S)
    with httpx.Client(base_url=url, headers=_headers(), timeout=TIMEOUT_S) as client:
        for image in images[:_TRIED]:
            _check(client, path, image)
    return target


def engine_of(url: str, model: str | None = None) -> tuple[str | None, str | None]:
    """Device and runtime as the server's ``/model`` names them; None twice of a server that has no such page."""
    try:
        answer = httpx.get(
            f"{url.rstrip('/')}/model", params={"model": model} if model else {}, headers=_headers(), timeout=TIMEOUT_S
        )
        engine = answer.json()["engine"]
        return f"{engine['precision']} on {engine['device']}, {engine['threads']} threads", str(engine["runtime"])
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return None, None


def measure_requests(target: Target, plan: Plan, where: str) -> tuple[Measurement, list[Measurement]]:
    """The whole request, and the stages as the server timed them (its ``Server-Timing`` header).

    Raises:
        UserError: a request got no answer.
    """
    exchanges = _one_after_the_other(target, plan)
    whole = [exchange.latency_ms for exchange in exchanges]
    server = [parse_server_timing(exchange.server_timing) for exchange in exchanges]
    stages = [
        Measurement.of(stage, "as the server timed it", [sample[stage] for sample in server], plan, threads=None)
        for stage in STAGES
        if all(stage in sample for sample in server)
    ]
    return Measurement.of(WHOLE_REQUEST, f"{_SCOPE}; {where}", whole, plan, threads=None), stages


def _one_after_the_other(target: Target, plan: Plan) -> list[Exchange]:
    exchanges: list[Exchange] = []
    loop = asyncio.new_event_loop()
    sender = Sender(target)

    def sample(turn: int) -> None:
        exchange = loop.run_until_complete(sender.exchange(turn, time.perf_counter()))
        if exchange.outcome != OK:
            raise UserError(f"{target.url}{PATH}: request {turn}: {exchange.outcome}")
        exchanges.append(exchange)

    try:
        repeat("requests", plan, sample)
    finally:
        sender.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
    return exchanges


def _headers() -> dict[str, str]:
    """With a key where the environment has some for the server: an option could be read by every user."""
    keys = os.environ.get(ENVIRONMENT, "").replace(",", " ").split()
    return _HEADERS | ({"X-API-Key": keys[0]} if keys else {})


def _check(client: httpx.Client, path: str, image: bytes) -> None:
    try:
        answer = client.post(path, content=image)
    except httpx.HTTPError as error:
        raise UserError(f"{client.base_url}: {error}: is `python -m serve` running there?") from None
    if answer.status_code != httpx.codes.OK:
        raise UserError(f"{answer.request.url}: status {answer.status_code}: {answer.text[:200]}")
