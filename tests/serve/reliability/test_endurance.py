"""Many requests, and more than there is room for: memory stays flat, and the server is itself again at once."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests.serve.conftest import ServerProcess
from tests.serve.reliability.conftest import Target
from tests.serve.waiting import wait_until

FORMS = ("image/png", "application/json", "application/x-npy", "application/geo+json")


@pytest.fixture
def roomy(bundle: Path, picture: bytes) -> Iterator[Target]:
    server = ServerProcess(bundle, "--log-level", "error")
    yield Target(server, picture)
    code, errors = server.stop()
    assert code == 0
    assert "Traceback" not in errors


def ask(target: Target, images: list[bytes], count: int, clients: int = 4) -> Counter[int]:
    """``count`` requests of every form, by status."""
    statuses: Counter[int] = Counter()

    def work(first: int) -> None:
        with httpx.Client(base_url=target.server.url, timeout=30) as client:
            for number in range(first, count, clients):
                headers = {"Accept": FORMS[number % len(FORMS)]}
                answer = client.post("/segment", content=images[number % len(images)], headers=headers)
                statuses[answer.status_code] += 1

    threads = [threading.Thread(target=work, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


@pytest.fixture
def images(encode: Callable[..., bytes]) -> list[bytes]:
    """Of many sizes and kinds, some of them broken."""
    random = np.random.default_rng(0)
    files = []
    for index in range(24):
        height, width = random.integers(8, 200, 2)
        pixels = random.integers(0, 255, (height, width, 3), dtype=np.uint8)
        data = encode(pixels, ("PNG", "JPEG", "WEBP", "BMP")[index % 4])
        files.append(data if index % 8 else data[: len(data) // 2])
    return files


@pytest.mark.slow
def test_hundreds_of_requests_in_flat_memory(roomy: Target, images: list[bytes]) -> None:
    ask(roomy, images, 100)
    before = roomy.memory()
    statuses = ask(roomy, images, 300)
    assert set(statuses) == {200, 422}, statuses
    assert roomy.memory() - before < 12 * 2**20


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ten_thousand_requests_in_flat_memory(roomy: Target, images: list[bytes]) -> None:
    ask(roomy, images, 2000)
    before = roomy.memory()
    statuses = ask(roomy, images, 10_000)
    assert set(statuses) == {200, 422}, statuses
    assert roomy.memory() - before < 16 * 2**20


def test_more_than_there_is_room_for_is_503_at_once(bundle: Path, encode: Callable[..., bytes]) -> None:
    server = ServerProcess(bundle, "--max-concurrency", "4", "--log-level", "error")
    large = encode(np.zeros((1500, 1500, 3), np.uint8))
    outcomes: list[tuple[int, float]] = []

    def work(end: float) -> None:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            while time.monotonic() < end:
                start = time.monotonic()
                answer = client.post("/segment", content=large)
                outcomes.append((answer.status_code, time.monotonic() - start))
                if answer.status_code == 503:
                    assert int(answer.headers["retry-after"]) >= 1

    end = time.monotonic() + 1.5
    threads = [threading.Thread(target=work, args=(end,)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    statuses = Counter(status for status, _ in outcomes)
    assert set(statuses) == {200, 503}, statuses
    refused = sorted(seconds for status, seconds in outcomes if status == 503)
    answered = sorted(seconds for status, seconds in outcomes if status == 200)
    assert refused[len(refused) // 2] < answered[len(answered) // 2], "a refusal takes no turn"
    wait_until(lambda: server.client.post("/segment", content=large).status_code == 200, within_s=2)
    server.stop()


@pytest.mark.slow
def test_an_hour_of_slow_clients_in_a_minute(bundle: Path, picture: bytes) -> None:
    """Connections that open, stall and vanish, while one client works: it never notices."""
    server = ServerProcess(bundle, "--log-level", "error", "--head-timeout-s", "1", "--upload-timeout-s", "1")
    target, stop = Target(server, picture), threading.Event()

    def stall(kind: int) -> None:
        data = (b"", b"POST /seg", b"POST /segment HTTP/1.1\r\nHost: x\r\nContent-Length: 999\r\n\r\nabc")[kind % 3]
        while not stop.is_set():
            with target.connect() as connection:
                connection.sendall(data)
                stop.wait(0.1 + 0.2 * (kind % 7))

    threads = [threading.Thread(target=stall, args=(kind,)) for kind in range(40)]
    for thread in threads:
        thread.start()
    before, end = target.memory(), time.monotonic() + 45
    statuses: Counter[int] = Counter()
    while time.monotonic() < end:
        statuses[server.client.post("/segment", content=picture).status_code] += 1
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}, statuses
    assert target.memory() - before < 32 * 2**20
    assert server.stop()[0] == 0
