"""What the server takes on, and that it never locks itself out."""

import http.client
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest

from serve.admission import Admission
from serve.problem import ProblemError
from serve.settings import Settings


@pytest.fixture
def admission():
    refused = []
    admission = Admission(Settings(deadline_s=1, max_concurrency=2, max_unsent_bytes=100), refused.append)
    admission.reasons = refused
    return admission


def slow_images(admission: Admission, count: int, seconds: float) -> None:
    """So many images, one after the other, with one more waiting all the time."""
    admission.take(1)
    for _ in range(count):
        admission.take(1)
        time.sleep(seconds)
        admission.done(worked=True)


def test_a_place_is_given_back(admission):
    full = pytest.raises(ProblemError, match="2 requests are being worked on")
    with admission.request(), admission.request(), full, admission.request():
        pass
    with admission.request():
        assert admission.requests == 1
    assert admission.reasons == ["overloaded"]


def test_what_would_come_too_late_is_refused_at_once(admission):
    slow_images(admission, 20, 0.02)
    with pytest.raises(ProblemError, match="an answer would take"):
        admission.take(100)
    assert admission.images == 1


def test_with_nothing_to_wait_for_nobody_is_refused_whatever_the_pace_was(admission):
    slow_images(admission, 3, 0.02)
    admission._pace._interval_s = 1000
    with pytest.raises(ProblemError):
        admission.take(1)
    admission.done(worked=True)
    admission.take(1)
    assert admission.images == 1


def test_answers_that_nobody_reads_keep_out_new_requests(admission):
    admission.unsent_bytes = 101
    with pytest.raises(ProblemError, match="101 bytes of answers wait"), admission.request():
        pass


def test_several_images_and_then_nothing_for_longer_than_the_deadline(server_process, bundle, image, encode):
    """The idle time must not be taken for the pace of the work."""
    running = server_process(bundle, "--deadline-s", "0.5", "--workers", "1")
    two = [("image", ("a.png", encode(image)))] * 2
    for _ in range(3):
        assert running.client.post("/segment", files=two).status_code == 200
        time.sleep(1)
        assert running.client.post("/segment", content=encode(image)).status_code == 200
    assert running.stop()[0] == 0


def resident_mb(server) -> float:
    text = server.client.get("/metrics").text
    line = next(line for line in text.splitlines() if line.startswith("segdistill_resident_memory_bytes "))
    return float(line.split()[1]) / 2**20


def test_clients_that_do_not_read_cost_bounded_memory(server_process, bundle, encode):
    running = server_process(bundle, "--max-unsent-bytes", str(48 * 2**20))
    blank = encode(np.zeros((4000, 4000, 3), np.uint8))  # its answer has 16 MB
    raw = {"Accept": "application/octet-stream"}
    assert running.client.post("/segment", content=blank, headers=raw).status_code == 200
    before, silent = resident_mb(running), []
    url = httpx.URL(running.url)
    statuses = []
    try:
        for _ in range(12):
            connection = socket.create_connection((url.host, url.port))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            head = (
                f"POST /segment HTTP/1.1\r\nHost: x\r\nAccept: {raw['Accept']}\r\nContent-Length: {len(blank)}\r\n\r\n"
            )
            connection.sendall(head.encode() + blank)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            statuses.append(answer.status)
            silent.append((connection, answer))
        assert resident_mb(running) - before < 160
        assert statuses[0] == 200
        assert statuses[-1] == 503, "the answers of twelve would have 192 MB"
    finally:
        for connection, answer in silent:
            answer.close()
            connection.close()
    end = time.monotonic() + 10
    while running.client.post("/segment", content=blank, headers=raw).status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert running.stop()[0] == 0


def test_several_images_share_the_pixels_of_one(server_process, bundle, encode):
    running = server_process(bundle, "--max-pixels", "10000")
    square = encode(np.zeros((80, 80, 3), np.uint8))
    accept = {"Accept": "application/json"}
    assert running.client.post("/segment", content=square, headers=accept).status_code == 200
    two = running.client.post("/segment", files=[("image", ("a.png", square))] * 2, headers=accept)
    assert two.status_code == 413, "there is no good one among them"
    assert [answer["status"] for answer in two.json()["images"]] == [413, 413]
    assert running.stop()[0] == 0


def test_several_images_are_timed_too(server, image, encode):
    answer = server.client.post("/segment", files=[("image", ("a.png", encode(image)))] * 2)
    assert answer.status_code == 200
    assert "inference;dur=" in answer.headers["server-timing"]


def test_a_large_answer_is_whole(server, encode):
    noise = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    raw = {"Accept": "application/octet-stream"}
    with ThreadPoolExecutor(4) as clients:
        for answer in clients.map(
            lambda _: server.client.post("/segment", content=encode(noise), headers=raw), range(4)
        ):
            assert len(answer.content) == 630_000
