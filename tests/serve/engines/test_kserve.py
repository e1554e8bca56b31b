"""The API in front of a server that speaks KServe v2: a real process of it, and of ours."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from export.bundle import BundleError, load_bundle
from serve.engines.choose import open_engine
from serve.engines.kserve import KServeEngine
from tests.serve.conftest import ROOT, ServerProcess
from tests.serve.tiny_bundles import HEIGHT, WIDTH, constant, make_bundle
from train.errors import UserError

KSERVE_SERVER = ROOT / "tests/serve/benchmark/kserve_server.py"

Start = Callable[..., tuple[str, "subprocess.Popen[str]"]]


@pytest.fixture
def start() -> Iterator[Start]:
    """A server with a graph under the bundle's name: its URL and its process."""
    running: list[subprocess.Popen[str]] = []

    def start(bundle: Path, *options: str) -> tuple[str, "subprocess.Popen[str]"]:
        command = [
            sys.executable,
            str(KSERVE_SERVER),
            str(bundle / "model.onnx"),
            "--name",
            "brightest-channel",
            *options,
        ]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout is not None
        return running[-1].stdout.readline().strip(), running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_class_maps_are_those_of_the_other_server(start, bundle, encode, image) -> None:
    url, process = start(bundle)
    server = ServerProcess(bundle, "--engine", "kserve", "--kserve-url", url)
    answer = server.client.post("/segment", content=encode(image), headers={"Accept": "application/octet-stream"})
    assert answer.content == image.argmax(-1).astype(np.uint8).tobytes()
    assert server.client.get("/model").json()["engine"]["runtime"] == f"KServe v2 at {url}"
    process.send_signal(signal.SIGKILL)
    process.wait()
    refused = server.client.post("/segment", content=encode(image))
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:segdistill:problem:overloaded")
    assert "is a KServe v2 server running there?" in refused.json()["detail"]
    assert server.client.get("/readyz").status_code == 200  # it may come back
    server.stop()


def test_batches_go_as_one(start, bundle, image) -> None:
    engine = KServeEngine(load_bundle(bundle), start(bundle)[0])
    images = np.stack([image, image[::-1]])
    np.testing.assert_array_equal(engine.infer(images).ids, images.argmax(-1))
    engine.close()


def test_another_network_under_the_same_name_is_not_served(start, bundle, tmp_path) -> None:
    url, _ = start(make_bundle(tmp_path / "other", constant(1)))
    command = [sys.executable, "-m", "serve", str(bundle), "--port", "0", "--engine", "kserve", "--kserve-url", url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert re.search(r"^error: .*gives the class of the fp32 graph for 0\.\d+ of the pixels", done.stderr, re.MULTILINE)


def test_what_cannot_be_is_said_at_the_start(start, bundle) -> None:
    opened = load_bundle(bundle)
    with pytest.raises(UserError, match="--kserve-url"):
        open_engine(opened, "kserve")
    with pytest.raises(UserError, match="is a KServe v2 server running there"):
        open_engine(opened, "kserve", url="http://127.0.0.1:9")
    url, _ = start(bundle, "--height", "96")
    with pytest.raises(BundleError, match=rf"takes 96x{WIDTH}, the bundle {HEIGHT}x{WIDTH}"):
        open_engine(opened, "kserve", url=url)


def test_what_the_other_server_fails_at_is_no_fault_of_the_image(start, bundle) -> None:
    """A `UserError` would be the sender's: status 422, with the other server's words."""
    engine = KServeEngine(load_bundle(bundle), start(bundle)[0])
    with pytest.raises(RuntimeError, match="status 400"):
        engine.infer(np.zeros((1, HEIGHT + 1, WIDTH, 3), np.uint8))
    engine.close()
