"""Time whole requests over HTTP, from the client's side."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from serve.benchmark.measurement import WHOLE_REQUEST, Measurement, Plan, repeat
from serve.server import Server, listen, url_of
from serve.service import Service
from serve.timing import STAGES, StageTimes, parse_server_timing
from train.errors import UserError

TIMEOUT_S = 60.0
_SCOPE = "one client, one kept-open connection: from the POST of one image to the last byte of the class map"


def measure_requests(url: str, images: list[bytes], plan: Plan, where: str) -> tuple[Measurement, list[Measurement]]:
    """The whole request, and the stages as the server timed them (its ``Server-Timing`` header).

    Raises:
        UserError: the server cannot be reached, or refuses an image.
    """
    whole: list[float] = []
    server: list[StageTimes] = []
    with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:

        def sample(index: int) -> None:
            times = StageTimes()
            with times.measure(WHOLE_REQUEST):
                answer = _post(client, images[index % len(images)])
            whole.append(times[WHOLE_REQUEST])
            server.append(parse_server_timing(answer.headers.get("server-timing", "")))

        repeat("requests", plan, sample)
    stages = [
        Measurement.of(stage, "as the server timed it", [sample[stage] for sample in server], plan, threads=None)
        for stage in STAGES
        if all(stage in sample for sample in server)
    ]
    return Measurement.of(WHOLE_REQUEST, f"{_SCOPE}; {where}", whole, plan, threads=None), stages


@contextmanager
def serving(service: Service) -> Iterator[str]:
    """A real server on a free loopback port of this process: its URL. Ends with the block."""
    listener = listen("127.0.0.1", 0)
    server = Server(service, listener, log_level="error")
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        url = url_of(listener)
        while thread.is_alive() and httpx.get(f"{url}/readyz", timeout=TIMEOUT_S).status_code != 200:
            time.sleep(0.01)
        yield url
    finally:
        server.stop()
        thread.join()


def _post(client: httpx.Client, image: bytes) -> httpx.Response:
    try:
        answer = client.post("/segment", content=image, headers={"Accept": "image/png"})
    except httpx.HTTPError as error:
        raise UserError(f"{client.base_url}: {error}: is `python -m serve` running there?") from None
    if answer.status_code != 200:
        raise UserError(f"{answer.request.url}: status {answer.status_code}: {answer.text[:200]}")
    return answer
