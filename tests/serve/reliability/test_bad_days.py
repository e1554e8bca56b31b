"""What happens to a server besides requests: it has to end, it is killed, its disk is full, its network fails."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.serve.conftest import ROOT, Start
from tests.serve.load import Load
from tests.serve.tiny_bundles import HEIGHT, WIDTH, constant, network, put
from tests.serve.waiting import wait_until


def test_sigterm_under_load_answers_every_accepted_request(start: Start, bundle: Path, picture: bytes) -> None:
    server = start(bundle, "--log-level", "error")
    load = Load(server.url, picture)
    wait_until(lambda: load.outcomes[200] > 50)
    code, errors = server.stop()
    load.end()
    assert code == 0
    assert "Traceback" not in errors
    assert set(load.outcomes) <= {200, 503}, load.outcomes


@pytest.mark.slow
def test_sigterm_of_several_processes_under_load(start: Start, bundle: Path, picture: bytes) -> None:
    server = start(bundle, "--processes", "2", "--log-level", "error")
    load = Load(server.url, picture)
    wait_until(lambda: load.outcomes[200] > 50)
    code, errors = server.stop()
    load.end()
    assert (code, errors) == (0, "")
    assert set(load.outcomes) <= {200, 503}, load.outcomes


def choosy() -> onnx.ModelProto:
    """A network that fails on an image whose first pixel is red 255, alone or among others."""
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.INT64),
        helper.make_node("Gather", ["values", "first"], ["row"], axis=1),
        helper.make_node("Gather", ["row", "first"], ["pixel"], axis=2),
        helper.make_node("Gather", ["pixel", "first"], ["red"], axis=3),
        helper.make_node("Gather", ["table", "red"], ["looked_up"]),  # 255 is past its end
        helper.make_node("ReduceMax", ["values", "axes"], ["largest"], keepdims=0),
        helper.make_node("ReduceMax", ["looked_up", "axes"], ["small"], keepdims=0),
        helper.make_node("Mul", ["largest", "small"], ["nothing"]),
        helper.make_node("Cast", ["nothing"], ["mask"], to=TensorProto.UINT8),
    ]
    constants = [
        helper.make_tensor("first", TensorProto.INT64, [1], [0]),
        helper.make_tensor("axes", TensorProto.INT64, [1], [3]),
        helper.make_tensor("table", TensorProto.INT64, [255], [0] * 255),
    ]
    return network("choosy", nodes, constants)


def test_a_poisoned_image_fails_alone(
    start: Start, tmp_path: Path, make_bundle: Callable[..., Path], encode: Callable[..., bytes]
) -> None:
    server = start(make_bundle(tmp_path / "bundle", choosy()), "--max-batch", "16", "--max-delay-ms", "20")
    good = encode(np.full((HEIGHT, WIDTH, 3), 10, np.uint8))
    poisoned = encode(np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    outcomes: Counter[tuple[bool, int]] = Counter()

    def ask(poison: bool) -> None:
        answer = server.client.post("/segment", content=poisoned if poison else good)
        outcomes[poison, answer.status_code] += 1

    threads = [threading.Thread(target=ask, args=(index % 4 == 0,)) for index in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes[False, 200] == 24, outcomes
    assert sum(count for (poison, status), count in outcomes.items() if poison and status >= 400) == 8, outcomes
    assert server.client.get("/readyz").status_code == 200
    server.stop()


def test_a_bundle_is_replaced_while_it_is_served(
    start: Start, tmp_path: Path, make_bundle: Callable[..., Path], picture: bytes
) -> None:
    served = make_bundle(tmp_path / "served", constant(0))
    server = start(served, "--reload-s", "0.1", "--log-level", "error")
    load = Load(server.url, picture, clients=3)
    wait_until(lambda: len(load.answers) == 1)
    put(served, make_bundle(tmp_path / "new", constant(1)))
    wait_until(lambda: len(load.answers) == 2)
    (served / "model.onnx").write_bytes(b"half written")
    time.sleep(0.5)
    put(served, make_bundle(tmp_path / "newer", constant(2)))
    wait_until(lambda: len(load.answers) == 3)
    load.end()
    assert set(load.outcomes) == {200}, load.outcomes
    code, errors = server.stop()
    assert code == 0
    assert "the former one goes on" in errors


def test_a_bundle_that_fails_in_service_is_rolled_back(
    start: Start, tmp_path: Path, make_bundle: Callable[..., Path], encode: Callable[..., bytes]
) -> None:
    served = make_bundle(tmp_path / "served", constant(0))
    server = start(served, "--reload-s", "0.1", "--log-level", "critical")
    white = encode(np.full((HEIGHT, WIDTH, 3), 255, np.uint8))
    before = server.client.get("/model").json()
    put(served, make_bundle(tmp_path / "new", choosy()))
    wait_until(lambda: server.client.get("/model").json() != before)
    server.client.post("/segment", content=white)
    wait_until(lambda: server.client.post("/segment", content=white).status_code == 200)
    server.stop()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_for_the_log_harms_no_request(bundle: Path, picture: bytes) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "serve", str(bundle), "--port", "0", "--threads", "1"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=full, text=True) as process:
            assert process.stdout is not None
            url = process.stdout.readline().split()[-1]
            with httpx.Client(base_url=url, timeout=20, transport=httpx.HTTPTransport(retries=5)) as client:
                wait_until(lambda: client.get("/readyz").status_code == 200)
                statuses = Counter(client.post("/segment", content=picture).status_code for _ in range(20))
                statuses[client.post("/segment", content=b"no image").status_code] += 1
            process.send_signal(signal.SIGTERM)
    assert statuses == {200: 20, 415: 1}
    assert process.returncode == 0


@pytest.mark.slow
def test_a_log_that_nobody_reads_harms_no_request(start: Start, bundle: Path, picture: bytes) -> None:
    server = start(bundle, "--log-format", "json")  # stderr is a pipe of 64 KiB
    statuses = Counter(server.client.post("/segment", content=picture).status_code for _ in range(250))
    assert statuses == {200: 250}
    code, _ = server.stop()
    assert code == 0


@pytest.mark.slow
def test_a_killed_worker_process_is_replaced(start: Start, bundle: Path, picture: bytes) -> None:
    server = start(bundle, "--processes", "2", "--log-level", "critical")
    wait_until(lambda: "segdistill_ready_processes 2.0" in server.client.get("/metrics").text)
    workers = children(server.process.pid)
    os.kill(workers.pop(), signal.SIGKILL)
    statuses = Counter(
        server.client.post("/segment", content=picture, headers={"Connection": "close"}).status_code for _ in range(50)
    )
    assert statuses == {200: 50}
    wait_until(lambda: len(children(server.process.pid)) == 2)
    wait_until(lambda: "segdistill_ready_processes 2.0" in server.client.get("/metrics").text)
    code, _ = server.stop()
    assert code == 0


def children(process: int) -> list[int]:
    """Ids of the worker processes of a parent."""
    found = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(child) for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]
