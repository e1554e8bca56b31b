"""What is sent again, when, and how it ends; against a server whose every byte the test has written."""

import email.utils
import random
import socket
import threading
import time

import pytest

from serve.client import NoAnswer, Retries, ServerProblem
from serve.client.retries import Patience
from tests.serve.client.scripted_server import GOOD, answer, scripted
from train.errors import UserError

NEVER = {"retries": Retries(most=0)}


def test_a_refused_request_is_sent_again_when_the_server_says_so(ask):
    with scripted(answer(503, retry_after="1"), GOOD) as server:
        assert ask(server.url, "model").name == "scripted"
    before, after = server.times
    assert 1 <= after - before < 1.7


@pytest.mark.parametrize("refusal", [answer(429), answer(503, retry_after="soon"), b""], ids=["429", "503", "closed"])
def test_without_a_time_it_is_soon_sent_again(ask, refusal):
    with scripted(refusal, refusal, GOOD) as server:
        assert ask(server.url, "model").classes == ["red", "green"]
    assert len(server.times) == 3
    assert server.times[-1] - server.times[0] < 2


def test_the_image_is_sent_whole_each_time(ask):
    image = bytes(range(256)) * 4000
    with scripted(GOOD, answer(503), answer(415)) as server, pytest.raises(ServerProblem):
        ask(server.url, "segment", image)
    _, first, second = (request.partition(b"\r\n\r\n")[2] for request in server.asked)
    assert first == second == image


def test_a_wait_that_is_too_long_is_not_begun(ask):
    with scripted(answer(503, retry_after="60")) as server, pytest.raises(ServerProblem) as caught:
        ask(server.url, "model")
    assert len(server.asked) == 1
    assert caught.value.status == 503
    assert caught.value.retry_after_s == 60


def test_retry_after_may_be_a_date(ask):
    in_ten_minutes = email.utils.formatdate(time.time() + 600, usegmt=True)
    with scripted(answer(429, retry_after=in_ten_minutes)) as server, pytest.raises(ServerProblem) as caught:
        ask(server.url, "model")
    assert caught.value.retry_after_s == pytest.approx(600, abs=5)


def test_the_deadline_ends_it_with_the_servers_own_words(ask):
    body = b'{"type": "urn:segdistill:problem:overloaded", "status": 503, "detail": "too many requests wait"}'
    began = time.monotonic()
    with scripted(answer(503, body)) as server, pytest.raises(ServerProblem, match="too many requests wait") as caught:
        ask(server.url, "model", options={"retries": Retries(deadline_s=0.7)})
    assert time.monotonic() - began < 2
    assert len(server.asked) > 1
    assert caught.value.type == "urn:segdistill:problem:overloaded"


@pytest.mark.parametrize("status", [400, 401, 404, 413, 415, 422, 500, 502, 504])
def test_other_refusals_are_final(ask, status):
    with scripted(answer(status, b"<html>"), GOOD) as server, pytest.raises(ServerProblem) as caught:
        ask(server.url, "model")
    assert len(server.asked) == 1
    assert (caught.value.status, caught.value.type, caught.value.request_id) == (status, "about:blank", None)


def test_nothing_is_sent_again_after_a_part_of_the_answer(ask):
    with scripted(GOOD[:-10], GOOD) as server, pytest.raises(NoAnswer, match="broke off") as caught:
        ask(server.url, "model")
    assert len(server.asked) == 1
    assert caught.value.begun


def test_nothing_is_sent_again_to_a_server_that_is_silent(ask):
    silence = threading.Event()
    with scripted(lambda _: silence.wait(5) and None) as server:
        with pytest.raises(NoAnswer, match="larger timeout"):
            ask(server.url, "model", options={"timeout_s": 0.2})
        silence.set()
    assert len(server.asked) == 1


def test_an_answer_that_trickles_ends_at_the_deadline(ask):
    def trickle(connection: socket.socket) -> None:
        for byte in GOOD:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)

    began = time.monotonic()
    with scripted(trickle) as server, pytest.raises(NoAnswer):
        ask(server.url, "model", options={"retries": Retries(deadline_s=0.5), "timeout_s": 0.5})
    assert time.monotonic() - began < 4
    assert len(server.asked) == 1


def test_a_server_that_is_not_there(ask):
    random.seed(1)  # of the waits: 0.03 s, 0.42 s, and one that would end after the deadline
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}"
    began = time.monotonic()
    with pytest.raises(NoAnswer, match="is `python -m serve` running there") as caught:
        ask(url, "model", options={"retries": Retries(deadline_s=0.7)})
    assert not caught.value.reached
    assert 0.1 < time.monotonic() - began < 3


def test_no_retries_by_option(ask):
    with scripted(answer(503), GOOD) as server, pytest.raises(ServerProblem):
        ask(server.url, "model", options=NEVER)
    assert len(server.asked) == 1


def test_another_kind_of_server(ask):
    with (
        scripted(answer(200, b"<html>")) as server,
        pytest.raises(ServerProblem, match="is this a server of segdistill"),
    ):
        ask(server.url, "model")
    with (
        scripted(GOOD, answer(200, b"<html>", content_type="text/html")) as server,
        pytest.raises(ServerProblem, match="text/html"),
    ):
        ask(server.url, "segment", b"image")
    moved = answer(301, location="https://elsewhere/")
    with scripted(moved) as server, pytest.raises(ServerProblem, match="is now at https://elsewhere/"):
        ask(server.url, "model")


def test_clients_refused_together_do_not_come_back_together():
    refusal = ServerProblem(503, "about:blank", "no", None, retry_after_s=2)
    for attempt in range(1, 4):
        waits = []
        for _ in range(50):
            patience = Patience(Retries())
            for _ in range(attempt):
                wait = patience.wait_s(refusal)
            waits.append(wait)
        spread = 0.25 * 2 ** (attempt - 1)
        assert min(waits) >= 2
        assert spread / 2 < max(waits) - min(waits) <= spread


@pytest.mark.parametrize("bounds", [{"most": -1}, {"deadline_s": 0}, {"longest_wait_s": -1}])
def test_bounds_that_make_no_sense(bounds):
    with pytest.raises(UserError, match="above 0"):
        Retries(**bounds)
