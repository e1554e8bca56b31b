"""Several servers behind the nginx of docker/compose.scale.yaml: real processes of both, and some of them die."""

import io
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.serve.conftest import ROOT, ServerProcess
from tests.serve.load import Load
from tests.serve.tiny_bundles import brightest_channel, make_bundle

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed: apt-get install nginx")

Start = Callable[..., list[ServerProcess]]


@pytest.fixture(scope="module")
def picture() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


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


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture
def balancer(tmp_path: Path) -> Iterator[Callable[[list[ServerProcess]], str]]:
    """The nginx of the compose file before these servers; only its port and their names are others."""
    started: list[subprocess.Popen[str]] = []

    def balance(servers: list[ServerProcess]) -> str:
        folder, port = tmp_path / "nginx", free_port()
        folder.mkdir()
        shipped = (ROOT / "docker/nginx/nginx.conf").read_text()
        text = shipped.replace("listen 8080", f"listen 127.0.0.1:{port}").replace("/tmp/", f"{folder}/")
        (folder / "nginx.conf").write_text(text)
        names = "".join(f"server {server.url.removeprefix('http://')} max_fails=0;" for server in servers)
        (folder / "upstream.conf").write_text(f"upstream segdistill {{ least_conn; {names} keepalive 32; }}")
        command = ["nginx", "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off; master_process off;"]
        with (folder / "log").open("w") as log:
            started.append(subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True))
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(transport=httpx.HTTPTransport(retries=10)) as client:
            assert client.get(f"{url}/readyz").status_code == 200, (folder / "log").read_text()
        return url

    yield balance
    for process in started:
        process.terminate()
        process.wait()


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
