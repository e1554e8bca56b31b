"""Time whole requests over HTTP one after the other, from the client's side."""

import asyncio
import time

import httpx

from serve.benchmark.connection import Target, post_message
from serve.benchmark.load import OK, Exchange, Sender
from serve.benchmark.measurement import WHOLE_REQUEST, Measurement, Plan, repeat
from serve.timing import STAGES, parse_server_timing
from train.errors import UserError

TIMEOUT_S = 60.0
PATH = "/segment"
_HEADERS = {"Accept": "image/png", "Content-Type": "application/octet-stream"}
_SCOPE = "one client, one kept-open connection: from the POST of one image to the last byte of the class map"


def segment_target(url: str, images: list[bytes]) -> Target:
    """Requests of the images' class maps, after one to see that the server gives them.

    Raises:
        UserError: the server cannot be reached, or refuses an image.
    """
    target = Target(url, [post_message(url, PATH, image, _HEADERS) for image in images], TIMEOUT_S)
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        for image in images:
            _check(client, image)
    return target


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


def _check(client: httpx.Client, image: bytes) -> None:
    try:
        answer = client.post(PATH, content=image, headers=_HEADERS)
    except httpx.HTTPError as error:
        raise UserError(f"{client.base_url}: {error}: is `python -m serve` running there?") from None
    if answer.status_code != httpx.codes.OK:
        raise UserError(f"{answer.request.url}: status {answer.status_code}: {answer.text[:200]}")
