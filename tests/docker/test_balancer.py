"""Several servers behind the nginx of docker/compose.scale.yaml: real processes of both, and some of them die."""

import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.docker.balancer import Balancer, picture
from tests.serve.conftest import ServerProcess
from tests.serve.load import Load
from tests.serve.tiny_bundles import brightest_channel, make_bundle

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: apt-get install nginx")

Start = Callable[..., list[ServerProcess]]


@pytest.fixture(scope="module", name="picture")
def one_picture() -> bytes:
    return picture()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Three servers."""
    running: list[ServerProcess] = []

    def start(*options: str) -> list[ServerProcess]:
        bundle = make_bundle(tmp_path / "bundle", brightest_channel())
        with ThreadPoolExecutor() as pool:
            running.extend(pool.map(lambda _: ServerProcess(bundle, *options, "--log-level", "error"), range(3)))
        return running

    yield start
    for server in running:
        server.client.close()
        server.process.kill()
        server.process.communicate()


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Callable[[list[ServerProcess]], str]]:
    started: list[Balancer] = []

    def balance(servers: list[ServerProcess]) -> str:
        started.append(Balancer(tmp_path / "nginx", [server.url for server in servers]))
        return started[-1].url

    yield balance
    for process in started:
        process.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_request_is_lost_when_one_of_three_servers_ends(start, balancer, picture, number) -> None:
    servers = start()
    load = Load(balancer(servers), picture)
    until(lambda: load.outcomes[200] > 100)
    servers[0].process.send_signal(number)
    before = load.outcomes[200]
    until(lambda: load.outcomes[200] > before + 300)
    load.end()
    assert set(load.outcomes) == {200}, load.outcomes
    assert len(load.answers) == 1


def test_a_server_that_comes_back_gets_requests_again(start, balancer, picture) -> None:
    servers = start()
    url = balancer(servers)
    for server in servers[1:]:
        server.process.kill()
        server.process.wait()
    with httpx.Client(base_url=url, timeout=20) as client:
        assert [client.post("/segment", content=picture).status_code for _ in range(6)] == [200] * 6
        requests = servers[0].client.get("/metrics").text
        assert 'segdistill_requests_total{model="bundle",status="200"} 6.0' in requests


def test_a_full_house_is_said_with_the_servers_own_words(start, balancer, picture) -> None:
    servers = start("--max-concurrency", "1")
    load = Load(balancer(servers), picture, clients=24)
    until(lambda: load.outcomes[503] > 20 and load.outcomes[200] > 20)
    load.end()
    assert set(load.outcomes) == {200, 503}, load.outcomes


def test_what_passes_through(start, balancer, picture) -> None:
    servers = start("--max-concurrency", "1")
    with httpx.Client(base_url=balancer(servers), timeout=20) as client:
        answer = client.post("/segment", content=picture, headers={"X-Request-ID": "mine"})
        assert answer.headers["X-Request-ID"] == "mine"
        assert len(client.post("/segment", content=picture).headers["X-Request-ID"]) == 32
        assert client.get("/metrics").status_code == 404
        problem = client.post("/segment", content=b"no image")
        assert (problem.status_code, problem.headers["content-type"]) == (415, "application/problem+json")
