"""Load against a real server whose behaviour is known: what is counted, and from when."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from serve.benchmark.connection import Target, post_message
from serve.benchmark.load import ClosedLoop, Exchange, Load, OpenLoop
from serve.benchmark.observation import Windows, observe
from serve.benchmark.point import LoadPoint, Reading, load_point

Answer = Callable[[int], tuple[float, bytes]]
"""Of the number of the request: seconds until it is answered, and the bytes of the answer; none: the line is cut."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nServer-Timing: inference;dur=3.5\r\n\r\nok"
FULL = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n"
SHORT = Windows(seconds=0.25, consecutive=2, most=2, warmup_s=0.1)


class Answering:
    """An HTTP server in a thread that answers as it is told; as a context, its URL."""

    def __init__(self, answer: Answer, one_at_a_time: bool = False) -> None:
        self._answer, self._one_at_a_time = answer, one_at_a_time
        self._count = 0
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.05)
        self._loop.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._answer_one(reader, writer):
                    pass
        finally:
            writer.transport.abort()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        self._count += 1
        seconds, message = self._answer(self._count)
        if self._one_at_a_time:
            time.sleep(seconds)
        else:
            await asyncio.sleep(seconds)
        writer.write(message)
        return message != b""


def target(url: str, timeout_s: float = 5.0) -> Target:
    return Target(url, [post_message(url, "/segment", b"image", {"Accept": "image/png"})], timeout_s)


def point(load: Load, url: str, timeout_s: float = 5.0, windows: Windows = SHORT) -> LoadPoint:
    return load_point(load, observe(load, target(url, timeout_s), windows, lambda: Reading(None, None)))


def test_each_client_waits_for_its_answer() -> None:
    with Answering(lambda _: (0.02, OK)) as url:
        row = point(ClosedLoop(4), url)
    assert row.throughput == pytest.approx(4 / 0.02, rel=0.25)
    assert row.p50_ms is not None
    assert 20 <= row.p50_ms < 30
    assert row.stages_ms == {"inference": 3.5}
    assert row.errors == {}
    assert (row.loop, row.offered) == ("closed", 4)


def test_the_open_loop_keeps_its_rate_and_is_random_by_its_seed() -> None:
    seen: list[Exchange] = []

    async def offer(seed: int) -> list[float]:
        seen.clear()
        stopped = asyncio.Event()
        asyncio.get_running_loop().call_later(0.6, stopped.set)
        began = time.perf_counter()
        await OpenLoop(200, seed).offer(target(url), seen.append, stopped)
        return sorted(exchange.due - began for exchange in seen)

    with Answering(lambda _: (0.005, OK)) as url:
        first, again, other = (asyncio.run(offer(seed)) for seed in (1, 1, 2))
    assert len(first) == pytest.approx(120, rel=0.35)
    count = min(len(first), len(again), len(other))
    np.testing.assert_allclose(first[:count], again[:count], atol=0.01)
    assert np.abs(np.array(first[:count]) - np.array(other[:count])).max() > 0.01


def test_a_server_that_stands_still_is_seen_by_every_request_that_was_due() -> None:
    """Clients that wait for answers would send nothing meanwhile, and see one slow request."""
    with Answering(lambda number: (0.4 if number == 30 else 0.0, OK), one_at_a_time=True) as url:
        row = point(OpenLoop(100), url, windows=Windows(seconds=1.0, consecutive=1, most=1, warmup_s=0.1))
    assert row.max_ms is not None
    assert row.p90_ms is not None
    assert row.max_ms >= 380
    assert row.p90_ms >= 200


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((0.0, FULL), "503"),
        ((0.0, b""), "connection closed"),
        ((0.0, b"SSH-2.0-OpenSSH\r\n"), "no HTTP"),
        ((9.0, OK), "timeout"),
    ],
)
def test_errors_are_counted_by_kind(answer: tuple[float, bytes], kind: str) -> None:
    with Answering(lambda _: answer) as url:
        row = point(ClosedLoop(2), url, timeout_s=0.1)
    assert set(row.errors) == {kind}
    assert row.errors[kind] == row.requests > 1
    assert (row.throughput, row.p50_ms, row.error_share) == (0, None, 1)
    assert (row.refused_p99_ms is not None) == (kind == "503")
    assert not row.stable


def test_no_server_is_an_error_too() -> None:
    row = point(OpenLoop(40), "http://127.0.0.1:9")
    assert set(row.errors) == {"connection refused"}


def test_a_lost_connection_is_opened_again() -> None:
    with Answering(lambda number: (0.001, b"" if number % 10 == 0 else OK)) as url:
        row = point(ClosedLoop(1), url)
    assert set(row.errors) == {"connection closed"}
    assert row.error_share == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize(("growth", "tolerance", "stable"), [(1.0, 0.5, True), (2.0, 0.05, False)])
def test_windows_end_when_they_agree_and_else_at_the_cap(growth: float, tolerance: float, stable: bool) -> None:
    rule = Windows(seconds=0.3, consecutive=3, tolerance=tolerance, most=5, warmup_s=0.0)
    began = time.perf_counter()

    def answer(_: int) -> tuple[float, bytes]:
        passed = (time.perf_counter() - began) / rule.seconds
        return 0.02 * growth ** min(passed, rule.most), OK

    with Answering(answer) as url:
        row = point(ClosedLoop(2), url, windows=rule)
    assert row.stable is stable
    assert (row.windows < 5) is stable
    assert (row.spread is not None and row.spread <= tolerance) is stable


def test_the_client_costs_little_and_knows_what() -> None:
    with Answering(lambda _: (0.0, OK)) as url:
        observed = observe(ClosedLoop(8), target(url), SHORT, lambda: None)
    count = Counter(exchange.outcome for exchange in observed.exchanges)["ok"]
    assert 0 < observed.client_cpu_s / count < 1e-3  # seconds, the thread of this very server counted in


def test_a_client_that_is_late_says_so() -> None:
    def read() -> Reading:
        time.sleep(0.2)  # nothing is sent meanwhile, much is due
        return Reading(None, None)

    with Answering(lambda _: (0.0, OK)) as url:
        observed = observe(OpenLoop(100), target(url), SHORT, read)
    row = load_point(OpenLoop(100), observed)
    assert row.client_late_p99_ms > 100
    assert row.client_is_slow
    assert row.max_ms is not None
    assert row.max_ms > 100
